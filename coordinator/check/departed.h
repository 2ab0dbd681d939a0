/*
 * departed.h - what is kept no longer, at the coordinator or in an inbox: of it nothing can be said any more.
 *
 * Guarantees: right for what was looked for before: rows leave and the mark moves in one transaction. So: look for a row, then
 *             ask whether it may have left.
 */
#ifndef COORDINATOR_CHECK_DEPARTED_H
#define COORDINATOR_CHECK_DEPARTED_H

#include "lib/pg/pg.h"

/* Up to which id sagas may have left the coordinator's database; the least id there is: none has. */
NODISCARD int departed_read(struct pg *coordinator, struct uuid *ret_last, struct error *err);

#endif
