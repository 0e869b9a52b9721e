"""The functions of the add-on schedules: runner of jobs, and warmer."""
