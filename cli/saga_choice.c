/* saga_choice.c - see saga_choice.h. */
#include "cli/saga_choice.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/saga_ids.h"
#include "cli/saga_words.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "lib/base/memory.h"

enum { PAGE_SIZE = 1000, KINDS_SHOWN_MAX = 12 };

struct saga_choice_flags saga_choice_flags;

static void add(struct saga_choice *choice, const char *id, const char *kind)
{
	if (choice->count == choice->max) {
		choice->max = choice->max > 0 ? 2 * choice->max : 64;
		choice->ids = xrealloc_array(choice->ids, choice->max, sizeof(*choice->ids));
		choice->kinds = xrealloc_array(choice->kinds, choice->max, sizeof(*choice->kinds));
	}
	choice->ids[choice->count] = arena_strdup(&choice->arena, id);
	choice->kinds[choice->count++] = kind;
}

/* Beyond the limit it is only noted that there are more. */
static void add_within_limit(struct saga_choice *choice, const char *id, const char *kind)
{
	choice->has_more = saga_choice_flags.limit > 0 && (int64_t)choice->count >= saga_choice_flags.limit;
	if (!choice->has_more)
		add(choice, id, kind);
}

void saga_choice_release(struct saga_choice *choice)
{
	free(choice->ids);
	free(choice->kinds);
	arena_release(&choice->arena);
	*choice = (struct saga_choice){0};
}

/* ---- by a filter: sagas in some states ---- */

/* The same kind as that of the saga before, mostly; so texts are not made anew for each. */
static const char *kind_of(struct saga_choice *choice, const Saga__V1__Saga *saga)
{
	const char *kind = arena_format(&choice->arena, "%s v%" PRId32 " %s%s", saga->definition,
					saga->definition_version, saga_state_word(saga->state),
					saga->pause_time ? ", paused" : "");

	if (choice->count > 0 && strcmp(choice->kinds[choice->count - 1], kind) == 0)
		return choice->kinds[choice->count - 1];
	return kind;
}

static void take_sagas(const Saga__V1__ListSagasResponse *page, struct saga_choice *choice)
{
	for (size_t i = 0; i < page->n_sagas && !choice->has_more; i++)
		add_within_limit(choice, page->sagas[i]->saga_id, kind_of(choice, page->sagas[i]));
}

static bool read_sagas(struct session *session_, Saga__V1__SagaFilter *filter, struct saga_choice *choice,
		       enum exit_code *ret_exit)
{
	Saga__V1__ListSagasRequest request = SAGA__V1__LIST_SAGAS_REQUEST__INIT;
	ProtobufCMessage *answer;

	request.filter = filter;
	request.order = SAGA__V1__SAGA_ORDER__SAGA_ORDER_OLDEST_FIRST;
	request.page_size = PAGE_SIZE;
	do {
		if (session_call(session_, "ListSagas", &request.base, &saga__v1__list_sagas_response__descriptor, 0,
				 &answer, ret_exit) < 0)
			return false;
		take_sagas((Saga__V1__ListSagasResponse *)answer, choice);
		request.page_token =
			arena_strdup(&choice->arena, ((Saga__V1__ListSagasResponse *)answer)->next_page_token);
		protobuf_c_message_free_unpacked(answer, NULL);
	} while (request.page_token[0] && !choice->has_more);
	return true;
}

/* ---- by a filter: stuck ones ---- */

static bool is_chosen(const struct saga_choice *choice, const char *id, size_t from)
{
	for (size_t i = from; i < choice->count; i++)
		if (strcmp(choice->ids[i], id) == 0)
			return true;
	return false;
}

/* A saga with several stuck steps is in several groups, and is asked once. Within a group each is there once, so only those
 * of other groups are looked through, and those are few where groups are large. */
static void take_groups(const Saga__V1__ListStuckResponse *page, struct saga_choice *choice)
{
	const size_t before = choice->count;

	for (size_t i = 0; i < page->n_groups && !choice->has_more; i++) {
		const Saga__V1__StuckGroup *group = page->groups[i];
		const bool is_first = choice->count == before;
		const char *kind = arena_format(&choice->arena, "%s v%" PRId32 " %s%s: %s", group->definition,
						group->definition_version, group->step_id,
						step_phase_suffix(group->phase),
						group->reason[0] ? group->reason : "no reason given");

		for (size_t k = 0; k < group->n_saga_ids && !choice->has_more; k++)
			if (is_first || !is_chosen(choice, group->saga_ids[k], before))
				add_within_limit(choice, group->saga_ids[k], kind);
	}
}

static bool read_stuck(struct session *session_, Saga__V1__SagaFilter *filter, struct saga_choice *choice,
		       enum exit_code *ret_exit)
{
	Saga__V1__ListStuckRequest request = SAGA__V1__LIST_STUCK_REQUEST__INIT;
	ProtobufCMessage *answer;

	request.filter = filter;
	request.step_id = (char *)(saga_choice_flags.step ? saga_choice_flags.step : "");
	request.reason = (char *)(saga_choice_flags.stuck_reason ? saga_choice_flags.stuck_reason : "");
	request.include_saga_ids = true;
	do {
		if (session_call(session_, "ListStuck", &request.base, &saga__v1__list_stuck_response__descriptor, 0,
				 &answer, ret_exit) < 0)
			return false;
		take_groups((Saga__V1__ListStuckResponse *)answer, choice);
		request.page_token =
			arena_strdup(&choice->arena, ((Saga__V1__ListStuckResponse *)answer)->next_page_token);
		protobuf_c_message_free_unpacked(answer, NULL);
	} while (request.page_token[0] && !choice->has_more);
	return true;
}

/* ---- either ---- */

static bool has_filter(void)
{
	return saga_filter_flags.states.count > 0 || saga_filter_flags.definition ||
	       saga_filter_flags.definition_version > 0 || saga_filter_flags.key ||
	       saga_filter_flags.labels.count > 0 || saga_filter_flags.is_paused || saga_choice_flags.stuck_reason ||
	       saga_choice_flags.step;
}

static void set_states(struct saga_choice *choice, const struct saga_choice_rule *rule, Saga__V1__SagaFilter *filter)
{
	if (filter->n_states > 0)
		return;
	filter->states = arena_alloc(&choice->arena, 32 * sizeof(*filter->states));
	for (int state = 1; state < 32; state++)
		if (rule->states & 1u << state)
			filter->states[filter->n_states++] = (Saga__V1__SagaState)state;
}

static bool read_by_filter(struct session *session_, const struct saga_choice_rule *rule, struct saga_choice *choice,
			   enum exit_code *ret_exit)
{
	Saga__V1__SagaFilter filter;
	struct problems problems;
	bool is_good;

	problems_init(&problems);
	is_good = saga_filter_make(&choice->arena, &filter, &problems) == 0;
	session_say_problems(&problems);
	problems_release(&problems);
	*ret_exit = EXIT_USAGE;
	if (!is_good)
		return false;
	if (rule->is_of_stuck)
		return read_stuck(session_, &filter, choice, ret_exit);
	set_states(choice, rule, &filter);
	filter.paused = filter.paused || rule->is_paused_only;
	return read_sagas(session_, &filter, choice, ret_exit);
}

static bool read_by_ids(char **arguments, int count, struct saga_choice *choice, enum exit_code *ret_exit)
{
	struct saga_ids ids;
	struct error err;

	if (saga_ids_read(arguments, count, &ids, &err) < 0) {
		*ret_exit = session_fail(&err);
		return false;
	}
	for (size_t i = 0; i < ids.count; i++)
		add(choice, ids.items[i], NULL);
	saga_ids_release(&ids);
	return true;
}

bool saga_choice_read(struct session *session_, const struct saga_choice_rule *rule, char **arguments, int count,
		      struct saga_choice *ret_choice, enum exit_code *ret_exit)
{
	struct saga_choice choice = {0};
	bool is_read = false;

	*ret_exit = EXIT_USAGE;
	if (count > 0 && (has_filter() || saga_choice_flags.is_dry_run))
		(void)fprintf(stderr, "sagactl %s: give either ids or a filter; --dry-run is for a filter\n",
			      rule->command);
	else if (count == 0 && !has_filter())
		(void)fprintf(stderr,
			      "sagactl %s: which sagas? Give ids, - for ids from standard input, or a filter such as "
			      "--definition\n",
			      rule->command);
	else if (count > 0)
		is_read = read_by_ids(arguments, count, &choice, ret_exit);
	else
		is_read = read_by_filter(session_, rule, &choice, ret_exit);
	if (!is_read) {
		saga_choice_release(&choice);
		return false;
	}
	*ret_choice = choice;
	return true;
}

/* ---- the person's word ---- */

static void show_json(const struct session *session_, const struct saga_choice *choice)
{
	const bool is_lines = strcmp(session_->output, "jsonl") == 0;

	(void)printf("%s", is_lines ? "" : "[");
	for (size_t i = 0; i < choice->count; i++) {
		_cleanup_(buffer_release)
		struct buffer out = {0};

		buffer_append_text(&out, is_lines || i == 0 ? "{" : ",\n{");
		buffer_append_json_member(&out, "sagaId", choice->ids[i]);
		buffer_append_json_member(&out, "kind", choice->kinds[i]);
		buffer_append_text(&out, is_lines ? "}\n" : "}");
		(void)printf("%s", buffer_text(&out));
	}
	(void)printf("%s", is_lines ? "" : "]\n");
}

static void show_table(const struct saga_choice *choice)
{
	struct terminal terminal = terminal_of_output();
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;

	table_init(&table, 2, terminal.has_colours);
	table.width_max = terminal.columns;
	table.flexible = 1u << 1;
	for (size_t i = 0; i < choice->count; i++) {
		table_add(&table, TABLE_PLAIN, "%s", choice->ids[i]);
		table_add(&table, TABLE_PLAIN, "%s", choice->kinds[i]);
	}
	if (choice->count > 0)
		table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
}

/* "  9,990  checkout v1 ship: timed_out", a line for each kind. */
static void say_kinds(const struct saga_choice *choice)
{
	const char *kinds[KINDS_SHOWN_MAX];
	size_t counts[KINDS_SHOWN_MAX] = {0};
	size_t kind_count = 0;
	size_t others = 0;
	_cleanup_(buffer_release)
	struct buffer text = {0};

	for (size_t i = 0; i < choice->count; i++) {
		size_t at = 0;

		while (at < kind_count && strcmp(kinds[at], choice->kinds[i]) != 0)
			at++;
		if (at == KINDS_SHOWN_MAX) {
			others++;
			continue;
		}
		kinds[at] = choice->kinds[i];
		kind_count += at == kind_count;
		counts[at]++;
	}
	for (size_t i = 0; i < kind_count; i++) {
		buffer_append_format(&text, "  %7zu  ", counts[i]);
		table_append_text(&text, kinds[i], TABLE_PLAIN, false);
		buffer_append_text(&text, "\n");
	}
	if (others > 0)
		buffer_append_format(&text, "  %7zu  of other kinds\n", others);
	(void)fprintf(stderr, "%s", buffer_text(&text));
}

static void say_count(const struct saga_choice_rule *rule, const struct saga_choice *choice, const char *would)
{
	(void)fprintf(stderr, "sagactl %s: %zu saga%s fit%s%s%s\n", rule->command, choice->count,
		      choice->count == 1 ? "" : "s", choice->count == 1 ? "s" : "",
		      choice->has_more ? " within --limit, and there are more" : "", would);
}

static bool ask(void)
{
	char answer[16] = "";

	(void)fprintf(stderr, "Do it? [y/N] ");
	(void)fflush(stderr);
	return fgets(answer, sizeof(answer), stdin) && tolower((unsigned char)answer[0]) == 'y';
}

bool saga_choice_confirm(struct session *session_, const struct saga_choice_rule *rule,
			 const struct saga_choice *choice, enum exit_code *ret_exit)
{
	if (choice->count > 0 && !choice->kinds[0])
		return true; /* ids were given: that was the word */
	*ret_exit = EXIT_DONE;
	if (saga_choice_flags.is_dry_run) {
		if (session_wants_json(session_))
			show_json(session_, choice);
		else
			show_table(choice);
		say_count(rule, choice, "; nothing was changed (--dry-run)");
		return false;
	}
	say_count(rule, choice, choice->count > 0 ? ":" : "");
	say_kinds(choice);
	if (choice->count == 0)
		return false;
	if (saga_choice_flags.is_sure)
		return true;
	*ret_exit = EXIT_USAGE;
	if (!isatty(STDIN_FILENO)) {
		(void)fprintf(stderr, "sagactl %s: --yes does it without asking, --dry-run shows them\n",
			      rule->command);
		return false;
	}
	if (ask())
		return true;
	(void)fprintf(stderr, "sagactl %s: nothing was changed\n", rule->command);
	*ret_exit = EXIT_FAILED;
	return false;
}
