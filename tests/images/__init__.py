"""Guest config to kernel, initrd and rootfs."""
