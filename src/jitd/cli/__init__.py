"""The commands of jitd: init, check, run, stop, cut, uninstall."""
