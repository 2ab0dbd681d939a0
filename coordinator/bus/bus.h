/*
 * bus.h - Kafka for the engine: replies in, commands out.
 *
 * Guarantees: offsets are stored in the order of reading and only for replies whose consequences are committed.
 *             What cannot be understood goes to `<topic>.dlq`, and its offset waits until it is safe there; while it
 *             cannot be written there, health says so, and reading stops when `in_flight_max` records wait behind it.
 *             A broker that is away makes the bus degraded, never makes it give up: what could not be sent is sent again
 *             by the sweep. A member that was fenced by a newer one of the same name ends the process (exit code 1): two
 *             of one name must not go on, and the supervisor starts it anew if that was a mistake.
 * Limits:     at most `in_flight_max` records are with the engine; then reading pauses.
 * Threads:    `saga-bus` owns the consumer. The port's functions are as ports.h says.
 * Order:      bus_new(), engine_new() with bus_engine_port(), bus_run(); to end: bus_stop_intake(), engine_drain(),
 *             bus_free(), engine_free().
 */
#ifndef COORDINATOR_BUS_BUS_H
#define COORDINATOR_BUS_BUS_H

#include "coordinator/definition/catalog.h"
#include "coordinator/engine/ports.h"
#include "lib/kafka/kafka.h"

struct bus;

struct bus_options {
	struct kafka_options kafka;
	const char *group;    /* NULL: saga-coordinator */
	const char *instance; /* the group's static member id */
	struct catalog *catalog;
	struct registry_client *registry; /* with which replies are looked at (screen.h); NULL: their values are not */
	struct metrics *metrics;
	size_t batch_max;     /* records; 0: 1,000 */
	size_t in_flight_max; /* records; 0: 20,000 */
};

/* Copies the options. Fails for illegal Kafka settings only: nothing is connected yet. */
NODISCARD int bus_new(const struct bus_options *options, struct bus **ret_bus, struct error *err);
struct bus_port bus_engine_port(struct bus *bus);
NODISCARD int bus_run(struct bus *bus, struct engine *engine, struct error *err); /* starts the thread */
void bus_stop_intake(struct bus *bus); /* reads no more; what is with the engine is still settled */
void bus_free(struct bus *bus);        /* stores what is settled, sends what is queued (up to 5 s), leaves the group */
DEFINE_CLEANUP(struct bus *, bus_free)

/* For health: brokers that answered last, and the controller's id (-1: unknown). Any thread. */
int bus_brokers(struct bus *bus);
int bus_controller(struct bus *bus);

#endif
