"""The commands of the add-on schedules, `reprise schedule` and `reprise warm`."""
