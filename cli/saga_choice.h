/*
 * saga_choice.h - which sagas a request is for: ids from the command line or standard input, or all that a filter fits; and
 * the person's word for it where there are many.
 *
 * Ownership:  ids and texts live in the choice.
 * Threads:    one command a process, so its flags have fixed places here.
 */
#ifndef CLI_SAGA_CHOICE_H
#define CLI_SAGA_CHOICE_H

#include "cli/saga_filter.h"
#include "cli/session.h"

struct saga_choice_flags {
	const char *step;
	const char *stuck_reason;
	int64_t limit;
	bool is_dry_run;
	bool is_sure;
};
extern struct saga_choice_flags saga_choice_flags;

/* Entries for a command's table of options, behind those of saga_filter.h. */
/* clang-format off */
#define SAGA_CHOICE_OPTIONS                                                                                            \
	{.flag = "limit", .letter = 'n', .type = OPTION_INT, .max = INT32_MAX, .value_name = "N",                      \
	 .help = "At most this many of those that the filter fits; 0: all.",                         \
	 .place = &saga_choice_flags.limit},                                                                           \
	{.flag = "dry-run", .type = OPTION_BOOL, .help = "Say which sagas the filter fits; change nothing.",           \
	 .place = &saga_choice_flags.is_dry_run},                                                                      \
	{.flag = "yes", .letter = 'y', .type = OPTION_BOOL, .help = "Do not ask before doing it to all that fit.",     \
	 .place = &saga_choice_flags.is_sure}
#define SAGA_CHOICE_STEP_OPTION                                                                                        \
	{.flag = "step", .value_name = "STEP", .help = "Stuck at this step.", .place = &saga_choice_flags.step}
#define SAGA_CHOICE_REASON_OPTION                                                                                      \
	{.flag = "stuck-reason", .value_name = "CODE",                                                                 \
	 .help = "Stuck for this reason code, as `sagactl stuck` shows it.", .place = &saga_choice_flags.stuck_reason}
/* clang-format on */

/* Which sagas a filter may fit, beyond what its flags say. */
struct saga_choice_rule {
	const char *command; /* "retry" */
	bool is_of_stuck;    /* stuck ones: ListStuck finds them, by step and reason */
	unsigned states;     /* of the others, where --state is not given: bits 1u << SagaState */
	bool is_paused_only;
};

struct saga_choice {
	struct arena arena;
	const char **ids;
	const char **kinds; /* "checkout v1 STUCK ship: timed_out"; NULL: ids were given */
	size_t count;
	size_t max;    /* room */
	bool has_more; /* beyond the limit */
};

/* False: what was wrong has been said, and *ret_exit is the code to leave with. */
bool saga_choice_read(struct session *session, const struct saga_choice_rule *rule, char **arguments, int count,
		      struct saga_choice *ret_choice, enum exit_code *ret_exit);
/* Shows them for --dry-run, or asks the person where a filter chose them. False: leave with *ret_exit. */
bool saga_choice_confirm(struct session *session, const struct saga_choice_rule *rule, const struct saga_choice *choice,
			 enum exit_code *ret_exit);
void saga_choice_release(struct saga_choice *choice);

#endif
