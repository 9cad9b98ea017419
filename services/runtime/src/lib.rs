//! What a program takes from its surroundings: clock, entropy, timers, spawners, backoff, shutdown, metrics registry.
