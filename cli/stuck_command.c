/* stuck_command.c - sagactl stuck: what waits for a person, by cause, and what to type about it. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/safe_text.h"
#include "cli/saga_choice.h"
#include "cli/saga_words.h"
#include "cli/terminal.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { COLUMNS = 7, HINTS_MAX = 5 };

static bool is_quiet;

static const struct option stuck_options[] = {
	SAGA_FILTER_OTHER_OPTIONS,
	SAGA_CHOICE_STEP_OPTION,
	SAGA_CHOICE_REASON_OPTION,
	{.flag = "quiet",
	 .letter = 'q',
	 .type = OPTION_BOOL,
	 .help = "Ids of sagas alone, one a line.",
	 .place = &is_quiet},
};

/* ---- all pages as one ---- */

struct causes {
	Saga__V1__ListStuckResponse **pages; /* owned; the groups are theirs */
	size_t page_count;
	Saga__V1__StuckGroup **groups;
	size_t count;
};

static bool is_alike(const Saga__V1__StuckGroup *one, const Saga__V1__StuckGroup *other)
{
	return one->definition_version == other->definition_version && one->phase == other->phase &&
	       one->state == other->state && strcmp(one->step_id, other->step_id) == 0 &&
	       strcmp(one->reason, other->reason) == 0 && strcmp(one->definition, other->definition) == 0;
}

static void add_group(struct causes *causes, Saga__V1__StuckGroup *group)
{
	for (size_t i = 0; i < causes->count; i++) {
		if (!is_alike(causes->groups[i], group))
			continue;
		causes->groups[i]->count += group->count;
		if (time_us(group->oldest_time) < time_us(causes->groups[i]->oldest_time)) {
			*causes->groups[i]->oldest_time = *group->oldest_time;
			memcpy(causes->groups[i]->oldest_saga_id, group->oldest_saga_id,
			       strlen(causes->groups[i]->oldest_saga_id)); /* ids are all as long */
		}
		return;
	}
	causes->groups = xrealloc_array(causes->groups, causes->count + 1, sizeof(*causes->groups));
	causes->groups[causes->count++] = group;
}

static void show_ids(const Saga__V1__ListStuckResponse *page)
{
	for (size_t i = 0; i < page->n_groups; i++)
		for (size_t k = 0; k < page->groups[i]->n_saga_ids; k++)
			(void)printf("%s\n", page->groups[i]->saga_ids[k]);
}

static void add_page(struct causes *causes, Saga__V1__ListStuckResponse *page)
{
	causes->pages = xrealloc_array(causes->pages, causes->page_count + 1, sizeof(page));
	causes->pages[causes->page_count++] = page;
	for (size_t i = 0; i < page->n_groups; i++)
		add_group(causes, page->groups[i]);
}

static void causes_release(struct causes *causes)
{
	for (size_t i = 0; i < causes->page_count; i++)
		protobuf_c_message_free_unpacked(&causes->pages[i]->base, NULL);
	free(causes->pages);
	free(causes->groups);
}

static enum exit_code read_pages(struct session *session_, Saga__V1__ListStuckRequest *request, struct causes *causes)
{
	ProtobufCMessage *answer;
	enum exit_code code;

	do {
		if (session_call(session_, "ListStuck", &request->base, &saga__v1__list_stuck_response__descriptor, 0,
				 &answer, &code) < 0)
			return code;
		if (is_quiet)
			show_ids((Saga__V1__ListStuckResponse *)answer);
		add_page(causes, (Saga__V1__ListStuckResponse *)answer);
		request->page_token = ((Saga__V1__ListStuckResponse *)answer)->next_page_token;
	} while (request->page_token[0]);
	return EXIT_DONE;
}

/* ---- for people ---- */

static void add_row(struct table *table, const Saga__V1__StuckGroup *group, int64_t now_us)
{
	const bool is_back = group->phase == SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION;
	_cleanup_(buffer_release)
	struct buffer since = {0};

	if (group->oldest_time)
		duration_append(&since, now_us - time_us(group->oldest_time));
	table_add(table, TABLE_BOLD, "%" PRId64, group->count);
	table_add(table, TABLE_PLAIN, "%s v%" PRId32, group->definition, group->definition_version);
	table_add(table, TABLE_PLAIN, "%s%s", group->step_id, is_back ? " (compensation)" : "");
	table_add(table, TABLE_RED, "%s", group->reason);
	table_add(table, TABLE_DIM, "%s", buffer_text(&since));
	table_add(table, TABLE_PLAIN, "%s", group->oldest_saga_id);
	table_add(table, TABLE_PLAIN, "%s", group->n_samples > 0 ? group->samples[0] : "");
}

/* As a shell takes it: reason codes are participants' own. */
static void append_word(struct buffer *out, const char *flag, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@%+";
	const bool is_plain = word[0] && strspn(word, plain) == strlen(word);

	buffer_append_format(out, is_plain ? " --%s " : " --%s '", flag);
	for (const char *at = word; *at; at += strcspn(at, "'") + (at[strcspn(at, "'")] == '\'')) {
		safe_text_append(out, at, strcspn(at, "'"));
		buffer_append_text(out, at[strcspn(at, "'")] ? "'\\''" : "");
	}
	buffer_append_text(out, is_plain ? "" : "'");
}

/* What acts on all of a group: to try again what can be, else to end it. */
static void append_hint(struct buffer *out, const Saga__V1__StuckGroup *group)
{
	const bool is_violated = group->state == SAGA__V1__STEP_STATE__STEP_STATE_VIOLATED;

	buffer_append_format(out, "  sagactl %s", is_violated ? "resolve --as failed" : "retry");
	append_word(out, "definition", group->definition);
	buffer_append_format(out, " --definition-version %" PRId32, group->definition_version);
	append_word(out, "step", group->step_id);
	if (group->reason[0])
		append_word(out, "stuck-reason", group->reason);
	buffer_append_text(out, " --reason '…' --dry-run\n");
}

static void show_table(const struct causes *causes)
{
	struct terminal terminal = terminal_of_output();
	const int64_t now_us = clock_real_us();
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;

	table_init(&table, COLUMNS, terminal.has_colours);
	table.width_max = terminal.columns;
	table.flexible = 1u << 1 | 1u << 2 | 1u << 3 | 1u << (COLUMNS - 1);
	table_add_head(&table,
		       (const char *const[]){"SAGAS", "DEFINITION", "STEP", "REASON", "OLDEST", "ITS SAGA", "WHY"});
	for (size_t i = 0; i < causes->count; i++)
		add_row(&table, causes->groups[i], now_us);
	table_print(&table, &out);
	table_release(&table);
	buffer_append_text(&out, "once the cause is mended, for all of a line:\n");
	for (size_t i = 0; i < causes->count && i < HINTS_MAX; i++)
		append_hint(&out, causes->groups[i]);
	buffer_append_text(&out, "one of them: sagactl explain SAGA_ID\n");
	(void)printf("%s", buffer_text(&out));
}

static void show(struct session *session_, const struct causes *causes)
{
	struct session_list json = {.session = session_};

	if (is_quiet)
		return;
	if (!session_wants_json(session_) && causes->count > 0)
		show_table(causes);
	if (!session_wants_json(session_) && causes->count == 0)
		(void)fprintf(stderr, "sagactl: nothing that fits is stuck\n");
	if (!session_wants_json(session_))
		return;
	for (size_t i = 0; i < causes->count; i++)
		session_list_add(&json, &causes->groups[i]->base);
	session_list_end(&json);
}

static enum exit_code run_stuck(struct session *session_, char **arguments, int count)
{
	Saga__V1__ListStuckRequest request = SAGA__V1__LIST_STUCK_REQUEST__INIT;
	Saga__V1__SagaFilter filter;
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct causes causes = {0};
	struct problems problems;
	enum exit_code code = EXIT_USAGE;

	(void)arguments;
	(void)count;
	problems_init(&problems);
	if (saga_filter_make(&arena, &filter, &problems) == 0) {
		request.filter = &filter;
		request.step_id = (char *)(saga_choice_flags.step ? saga_choice_flags.step : "");
		request.reason = (char *)(saga_choice_flags.stuck_reason ? saga_choice_flags.stuck_reason : "");
		request.include_saga_ids = is_quiet;
		code = read_pages(session_, &request, &causes);
		if (code == EXIT_DONE)
			show(session_, &causes);
	}
	session_say_problems(&problems);
	problems_release(&problems);
	causes_release(&causes);
	return code;
}

const struct command stuck_command = {
	.name = "stuck",
	.summary = "show what is stuck, by cause, and what to type about it",
	.notes = "A cause is a definition's version, a step, its direction and a reason code; a saga with several "
		 "stuck steps "
		 "counts\n"
		 "for each. Reason codes are the participants' own, or attempts_exhausted, timed_out, "
		 "compensation_rejected,\n"
		 "violated. The exit code is 0 whether anything is stuck or not.\n",
	.examples = "sagactl stuck\n"
		    "sagactl stuck --definition checkout --step ship\n"
		    "sagactl stuck --stuck-reason violated --quiet | sagactl explain -\n"
		    "sagactl stuck -o json | jq '.[].count'\n",
	.options = stuck_options,
	.option_count = ARRAY_LEN(stuck_options),
	.run = run_stuck,
};
