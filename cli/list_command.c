/* list_command.c - sagactl list. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/saga_filter.h"
#include "cli/saga_words.h"
#include "cli/terminal.h"
#include "cli/time_text.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { PAGE_SIZE = 500, COLUMNS = 7, SECONDS_LEN = 19 };

static const char *since;
static const char *until;
static const char *changed_since;
static const char *changed_until;
static bool is_oldest_first;
static bool is_quiet;
static int64_t limit;

static const struct option list_options[] = {
	SAGA_FILTER_OPTIONS,
	{.flag = "since",
	 .value_name = "TIME",
	 .help = "Started at this time or later: 2026-01-31T10:00Z, or 15m, 24h, 7d for so long ago.",
	 .place = &since},
	{.flag = "until", .value_name = "TIME", .help = "Started before this time.", .place = &until},
	{.flag = "changed-since",
	 .value_name = "TIME",
	 .help = "Last changed at this time or later.",
	 .place = &changed_since},
	{.flag = "changed-until",
	 .value_name = "TIME",
	 .help = "Last changed before this time: with --state open, sagas that do not move.",
	 .place = &changed_until},
	{.flag = "oldest-first",
	 .type = OPTION_BOOL,
	 .help = "In the order of their starts; else the newest are first.",
	 .place = &is_oldest_first},
	{.flag = "limit",
	 .letter = 'n',
	 .type = OPTION_INT,
	 .default_text = "50",
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "At most this many; 0 shows all.",
	 .place = &limit},
	{.flag = "quiet", .letter = 'q', .type = OPTION_BOOL, .help = "Ids alone, one a line.", .place = &is_quiet},
};

/* What the listing needs besides the request, which lives in the arena. */
struct listing {
	struct session *session;
	struct session_list json;
	struct table table;
	int64_t shown;
	bool has_more; /* beyond the limit */
};

/* ---- the request ---- */

static Google__Protobuf__Timestamp *read_time(struct arena *arena, const char *flag, const char *text,
					      struct problems *problems)
{
	Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof(*time));
	int64_t us = 0;
	struct error err;

	if (!text)
		return NULL;
	if (time_text_parse(text, TIME_AGO, clock_real_us(), &us, &err) < 0)
		problems_add(problems, flag, "%s", err.msg);
	google__protobuf__timestamp__init(time);
	time->seconds = us / 1000000 - (us % 1000000 < 0);
	time->nanos = (int32_t)(us - time->seconds * 1000000) * 1000;
	return time;
}

static Saga__V1__TimeRange *range_of(struct arena *arena, Google__Protobuf__Timestamp *from,
				     Google__Protobuf__Timestamp *before)
{
	Saga__V1__TimeRange *range = arena_alloc(arena, sizeof(*range));

	saga__v1__time_range__init(range);
	range->from = from;
	range->before = before;
	return from || before ? range : NULL;
}

static bool make_request(struct arena *arena, Saga__V1__ListSagasRequest *request)
{
	Saga__V1__SagaFilter *filter = arena_alloc(arena, sizeof(*filter));
	struct problems problems;
	bool is_good;

	problems_init(&problems);
	if (saga_filter_make(arena, filter, &problems) == 0)
		request->filter = filter;
	request->create_time = range_of(arena, read_time(arena, "--since", since, &problems),
					read_time(arena, "--until", until, &problems));
	request->update_time = range_of(arena, read_time(arena, "--changed-since", changed_since, &problems),
					read_time(arena, "--changed-until", changed_until, &problems));
	request->order = is_oldest_first ? SAGA__V1__SAGA_ORDER__SAGA_ORDER_OLDEST_FIRST
					 : SAGA__V1__SAGA_ORDER__SAGA_ORDER_NEWEST_FIRST;
	session_say_problems(&problems);
	is_good = problems.count == 0;
	problems_release(&problems);
	return is_good;
}

/* ---- rows ---- */

static void add_row(struct table *table, const Saga__V1__Saga *saga)
{
	_cleanup_(buffer_release)
	struct buffer duration = {0};
	char start[CLOCK_TEXT_LEN + 1];

	clock_format(time_us(saga->create_time), start);
	if (saga->end_time)
		duration_append(&duration, time_us(saga->end_time) - time_us(saga->create_time));
	table_add(table, TABLE_PLAIN, "%s", saga->saga_id);
	table_add(table, TABLE_PLAIN, "%s v%" PRId32, saga->definition, saga->definition_version);
	table_add(table, saga_state_colour(saga->state), "%s", saga_state_word(saga->state));
	table_add(table, TABLE_PLAIN, "%s", strcmp(saga->step, saga_state_word(saga->state)) == 0 ? "" : saga->step);
	table_add(table, TABLE_DIM, "%.*sZ", SECONDS_LEN, start);
	table_add(table, TABLE_DIM, "%s", buffer_text(&duration));
	table_add(table, TABLE_PLAIN, "%s", saga->key);
}

static void show(struct listing *listing, const Saga__V1__Saga *saga)
{
	if (is_quiet)
		(void)printf("%s\n", saga->saga_id);
	else if (session_wants_json(listing->session))
		session_list_add(&listing->json, &saga->base);
	else
		add_row(&listing->table, saga);
	listing->shown++;
}

/* One saga more than the limit is asked for, to know whether there is one. */
static enum exit_code read_pages(struct listing *listing, Saga__V1__ListSagasRequest *request)
{
	_cleanup_(freep)
	char *page_token = xstrdup("");
	enum exit_code code;

	do {
		const Saga__V1__ListSagasResponse *page;
		int64_t wanted = limit > 0 ? limit - listing->shown + 1 : PAGE_SIZE;
		ProtobufCMessage *answer;

		request->page_token = page_token;
		request->page_size = (int32_t)(wanted < PAGE_SIZE ? wanted : PAGE_SIZE);
		if (session_call(listing->session, "ListSagas", &request->base,
				 &saga__v1__list_sagas_response__descriptor, 0, &answer, &code) < 0)
			return code;
		page = (Saga__V1__ListSagasResponse *)answer;
		for (size_t i = 0; i < page->n_sagas && !listing->has_more; i++) {
			listing->has_more = limit > 0 && listing->shown == limit;
			if (!listing->has_more)
				show(listing, page->sagas[i]);
		}
		free(page_token);
		page_token = xstrdup(page->next_page_token);
		protobuf_c_message_free_unpacked(answer, NULL);
	} while (page_token[0] && !listing->has_more);
	return EXIT_DONE;
}

static void finish(struct listing *listing)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (session_wants_json(listing->session) && !is_quiet)
		session_list_end(&listing->json);
	else if (listing->shown > 0)
		table_print(&listing->table, &out);
	(void)printf("%s", is_quiet ? "" : buffer_text(&out));
	if (listing->shown == 0 && !session_wants_json(listing->session))
		(void)fprintf(stderr, "sagactl: no saga fits\n");
	if (listing->has_more)
		(void)fprintf(stderr, "sagactl: there are more than these %" PRId64 "; --limit 0 shows all\n", limit);
}

static enum exit_code run_list(struct session *session_, char **arguments, int count)
{
	Saga__V1__ListSagasRequest request = SAGA__V1__LIST_SAGAS_REQUEST__INIT;
	struct terminal terminal = terminal_of_output();
	struct listing listing = {.session = session_, .json = {.session = session_}};
	_cleanup_(arena_release)
	struct arena arena = {0};
	enum exit_code code;

	(void)arguments;
	(void)count;
	if (!make_request(&arena, &request))
		return EXIT_USAGE;
	table_init(&listing.table, COLUMNS, terminal.has_colours);
	listing.table.width_max = terminal.columns;
	listing.table.flexible = 1u << 1 | 1u << 3 | 1u << (COLUMNS - 1);
	table_add_head(&listing.table,
		       (const char *const[]){"SAGA ID", "DEFINITION", "STATE", "STEP", "STARTED", "TOOK", "KEY"});
	code = read_pages(&listing, &request);
	if (code == EXIT_DONE)
		finish(&listing);
	table_release(&listing.table);
	return code;
}

const struct command list_command = {
	.name = "list",
	.summary = "list sagas by state, definition, key, label and time",
	.notes = "Every flag narrows the list; --state may name several states, separated by commas.\n",
	.examples = "sagactl list\n"
		    "sagactl list --state stuck,failed --since 24h\n"
		    "# open, and nothing has happened to them for an hour\n"
		    "sagactl list --state open --changed-until 1h --oldest-first\n"
		    "sagactl list --key order-17 -o json | jq '.[].state'\n",
	.options = list_options,
	.option_count = ARRAY_LEN(list_options),
	.run = run_list,
};
