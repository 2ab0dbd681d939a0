/* departed.c - see departed.h. */
#include "coordinator/check/departed.h"

int departed_read(struct pg *coordinator, struct uuid *ret_last, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;

	if (pg_exec(coordinator, "SELECT last_id FROM saga_departed", NULL, 0, &rows, err) < 0)
		return error_prefix(err, "cannot read which sagas have left");
	*ret_last = pg_rows(rows) > 0 ? pg_get_uuid(rows, 0, 0) : (struct uuid){0};
	return 0;
}
