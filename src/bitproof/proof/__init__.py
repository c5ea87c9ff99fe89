"""Why two artifacts differ: bytes and recorded inputs in, an explanation out. Nothing here touches the world."""
