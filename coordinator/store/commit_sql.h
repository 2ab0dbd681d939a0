/*
 * commit_sql.h - the statements of a commit.
 *
 * Why two: nearly always each start is new and each change finds the row that it expects, and then nobody needs to look at
 *          every row whether it was done: that took a quarter of the database's CPU. So a commit is tried in hope first, and
 *          where something was otherwise, the database has undone it, and it is made carefully.
 */
#ifndef COORDINATOR_STORE_COMMIT_SQL_H
#define COORDINATOR_STORE_COMMIT_SQL_H

#include <stdbool.h>

enum commit_opens {
	COMMIT_OPENS_NONE,
	COMMIT_OPENS_NEW, /* rows of new sagas alone */
	COMMIT_OPENS_ANY,
	COMMIT_OPENS_COUNT
};

/* Everything is done, or the statement is refused. Answers the feed's transaction, whose order is that of the changes, starts
 * first. The parameters of saga_open only where `opens`. */
const char *commit_sql_hopeful(enum commit_opens opens, bool has_end);
/* Does what can be done. Answers the ids of it, in the feed's order, then the feed's transaction, if anything was done. */
const char *commit_sql_careful(void);

#endif
