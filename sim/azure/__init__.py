"""A fleet from what its owner has: inventories, Activity Logs, cost exports and Terraform plans become a scenario.

Files are read by `inventory`, `activity_log` and `charges`, and brought together by `fleet`; `timelines` says when each VM was
on, `schedules` and `habits` what that follows, `groups` which VMs are alike, and `scenario_text` writes them down.
"""
