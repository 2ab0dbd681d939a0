/* clock_system.c - the clock port over the machine's own clocks. */
#include "coordinator/engine/ports.h"
#include "lib/base/clock.h"

static int64_t real_us(void *ctx)
{
	(void)ctx;
	return clock_real_us();
}

static int64_t monotonic_us(void *ctx)
{
	(void)ctx;
	return clock_monotonic_us();
}

static struct uuid new_id(void *ctx)
{
	(void)ctx;
	return uuid_v7_new();
}

const struct clock_port CLOCK_PORT_SYSTEM = {.real_us = real_us, .monotonic_us = monotonic_us, .new_id = new_id};
