/*
 * saga_ids.h - the sagas that a command line names: one id after the other, or "-" for a list on standard input.
 */
#ifndef CLI_SAGA_IDS_H
#define CLI_SAGA_IDS_H

#include "cli/session.h"
#include "lib/base/arena.h"

struct saga_ids {
	struct arena arena;
	const char **items;
	size_t count;
};

/* One that is no UUID is an error, and so is none at all: ids are checked before anything is done with the first. */
NODISCARD int saga_ids_read(char **arguments, int count, struct saga_ids *ret_ids, struct error *err);
void saga_ids_release(struct saga_ids *ids);

/* Runs `each` for every one; the first failure decides the exit code, but the others are tried as well, unless a server
 * is away or the user ended it. */
enum exit_code saga_ids_each(struct session *session, char **arguments, int count,
			     enum exit_code (*each)(struct session *session, const char *saga_id));

#endif
