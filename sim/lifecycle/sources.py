"""Where the facts of the lifecycle come from, each page named once.

Users don't have our notes, so every source is a page they can look up: its title, its publisher and its date.
"""

LIFECYCLE_2018 = "Microsoft, 'Lifecycle and states of a VM in Azure', 2018-08-09 (the source document)"
POWER_SECTION = f"{LIFECYCLE_2018}, section 'Power states'"
PROVISIONING_SECTION = f"{LIFECYCLE_2018}, section 'Provisioning states'"
STATES_2023 = "Microsoft, 'States and billing status of Azure Virtual Machines', 2023-10-31"
HIBERNATE = "Microsoft, 'Hibernation for Azure virtual machines', 2025-10-24"
HIBERNATE_STATE_VIEW = "Microsoft, hibernation pages, included section on the state of a hibernated VM, 2024-04-10"
HIBERNATE_TROUBLE = "Microsoft, 'Troubleshoot VM hibernation', 2024-05-16"
ERROR_MESSAGES = "Microsoft, 'Understand common error messages when you manage virtual machines in Azure', 2017-05-22"
ALLOCATION_FAILURE = (
    "Microsoft, 'Troubleshoot allocation failures when you create, restart, or resize VMs in Azure', 2021-12-16"
)
SPOT_ERRORS = "Microsoft, 'Error messages for Azure Spot Virtual Machines and scale sets', 2023-02-28"
THROTTLING = "Microsoft, 'Compute throttling limits', 2024-05-27"
FAQ_PARTIAL_HOURS = "Microsoft, Azure pricing FAQ on a VM that ran 6 minutes 45 seconds, undated"
FIELD = "seen in public issue threads, not in Microsoft's documents"
ASSUMPTION = "our assumption: no document says so"
SERVICE_HEALING = 'Microsoft, "Understand a system reboot for Azure VM" (2023-02-28)'
