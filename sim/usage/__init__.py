"""COUNTING: stays in states become hours, exactly, without knowing who moves or why."""
