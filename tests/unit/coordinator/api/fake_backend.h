/*
 * fake_backend.h - engine, catalog and plan as the services see them, without database, broker and registry.
 *
 * Knows one definition, `checkout` version 1, whose input is any record with a text `order_id` and whose canonical form
 * is that text. Starts are answered on a thread of the backend's own, as the real engine does it.
 */
#ifndef TESTS_UNIT_COORDINATOR_API_FAKE_BACKEND_H
#define TESTS_UNIT_COORDINATOR_API_FAKE_BACKEND_H

#include "coordinator/engine/engine.h"

struct engine *fake_backend_start(void);
void fake_backend_stop(struct engine *engine);
void fake_backend_set_ready(bool is_ready);
void fake_backend_set_room(bool has_room); /* for starts */
int fake_backend_waiting(void);            /* GetSaga calls held */
void fake_backend_release(void);           /* answers them */
int64_t fake_backend_last_wait(void);      /* wait_ms of the last GetSaga */
const char *fake_backend_last_value(void); /* of the last signal: JSON */
const char *fake_backend_last_actor(void); /* of the last start, cancel or definition put */

#endif
