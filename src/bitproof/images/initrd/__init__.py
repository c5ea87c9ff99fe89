"""The initrd: archives of a packages' part and a guest part, one after the other."""
