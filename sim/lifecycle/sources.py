"""Where the facts of this room come from, each page named once.

Users don't have our notes, so every source is a page they can look up: its title, its publisher and its date.
"""

from __future__ import annotations

LIFECYCLE_2018 = "Microsoft, 'Lifecycle and states of a VM in Azure', 2018-08-09 (the source document)"
POWER_SECTION = f"{LIFECYCLE_2018}, section 'Power states'"
PROVISIONING_SECTION = f"{LIFECYCLE_2018}, section 'Provisioning states'"
VIEW_SECTION = f"{LIFECYCLE_2018}, section 'VM instance view'"
STATES_2023 = "Microsoft, 'States and billing status of Azure Virtual Machines', 2023-10-31"
HIBERNATE = "Microsoft, 'Hibernating virtual machines' (hibernate-resume), 2025-10-24"
HIBERNATE_STATE_VIEW = "Microsoft, hibernation page, include on the state view, 2024-04-10"
HIBERNATE_TROUBLE = "Microsoft, 'Troubleshooting hibernation', 2024-05-16"
COMPUTE_API = "Microsoft, Compute REST API 2024-07-01 (virtualMachine.json and its instance view example)"
ERROR_MESSAGES = "Microsoft, 'Understand common error messages when you manage VMs in Azure', 2017-05-22"
ALLOCATION_FAILURE = "Microsoft, 'Troubleshoot Azure VM allocation failures', 2021-12-16"
SPOT_ERRORS = "Microsoft, 'Error messages for Azure Spot VMs', 2023-02-28"
RESIZE = "Microsoft, 'Change the size of a virtual machine', 2025-11-06"
DELETE = "Microsoft, 'Delete a VM and attached resources', 2022-05-09"
FAQ_PARTIAL_HOURS = "Microsoft, Azure pricing FAQ on a VM that ran 6 minutes 45 seconds, undated"
FIELD = "seen in public issue threads, not in Microsoft's documents"
ASSUMPTION = "our assumption: no document says so"
