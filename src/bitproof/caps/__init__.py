"""From pins to proved artifacts: plan, check out, build, verify; regen and compose write pins back (seed 002)."""
