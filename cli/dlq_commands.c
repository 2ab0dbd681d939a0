/* dlq_commands.c - sagactl dlq list, show, replay and drop. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/dead_letters.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "lib/kafka/topic_name.h"

static struct dead_letter_filter filter;
static bool is_dry_run;
static bool wants_all;

#define FILTER_OPTIONS                                                                                                 \
	{.flag = "topic",                                                                                              \
	 .value_name = "TOPIC",                                                                                        \
	 .help = "Those of this topic: shipping.ship.command, without .dlq.",                                          \
	 .check_text = topic_name_check,                                                                               \
	 .place = &filter.topic},                                                                                      \
		{.flag = "reason",                                                                                     \
		 .value_name = "REASON",                                                                               \
		 .choices = "bad_headers undecodable unknown_schema wrong_type no_outcome failed exhausted too_large " \
			    "too_old",                                                                                 \
		 .help = "Those with this reason.",                                                                    \
		 .place = &filter.reason},                                                                             \
		{.flag = "saga", .value_name = "SAGA_ID", .help = "Those of this saga.", .place = &filter.saga},       \
	{                                                                                                              \
		.flag = "key", .value_name = "KEY", .help = "Those with this key.", .place = &filter.key               \
	}

static struct registry_client *make_registry(const struct session *session_)
{
	const struct registry_client_options options = session_registry(session_);

	return registry_client_new(&options);
}

static int read_letters(const struct session *session_, struct dead_letters *ret_letters, struct error *err)
{
	struct kafka_options kafka = session_kafka(session_);

	return dead_letters_read(&kafka, &filter, ret_letters, err);
}

/* ---- as JSON ---- */

static void append_pair(struct buffer *out, const char *name, struct bytes value)
{
	buffer_append_json_string(out, name, strlen(name));
	buffer_append_text(out, ":");
	buffer_append_json_string(out, (const char *)value.data, value.len);
}

static void append_headers(const struct dead_letter *letter, struct buffer *out)
{
	buffer_append_text(out, ",\"headers\":[");
	for (size_t i = 0; i < letter->record.header_count; i++) {
		const struct kafka_header *header = &letter->record.headers[i];

		buffer_append_text(out, i > 0 ? ",{" : "{");
		append_pair(out, "name", bytes_of_text(header->name));
		buffer_append_text(out, ",");
		append_pair(out, "value", header->value);
		buffer_append_text(out, "}");
	}
	buffer_append_text(out, "]");
}

static void append_body(const struct dead_letter *letter, struct registry_client *registry, struct buffer *out)
{
	struct error err;

	buffer_append_text(out, ",\"value\":");
	if (dead_letter_decode(letter, registry, out, &err) == 0)
		return;
	buffer_append_text(out, "null,");
	append_pair(out, "valueError", bytes_of_text(err.msg));
	buffer_append_text(out, ",\"valueHex\":\"");
	for (size_t i = 0; i < letter->record.value.len; i++)
		buffer_append_format(out, "%02x", letter->record.value.data[i]);
	buffer_append_text(out, "\"");
}

static void append_json(const struct dead_letter *letter, struct registry_client *registry, struct arena *arena,
			struct buffer *out)
{
	static const struct {
		const char *name;
		const char *header;
	} shown[] = {
		{"topic", "dlq-topic"},     {"reason", "dlq-reason"}, {"detail", "dlq-detail"}, {"time", "dlq-time"},
		{"service", "dlq-service"}, {"sagaId", "saga-id"},    {"step", "saga-step"},    {"phase", "saga-phase"},
	};

	buffer_append_text(out, "{");
	append_pair(out, "id", bytes_of_text(letter->id));
	buffer_append_text(out, ",");
	append_pair(out, "key", letter->record.key);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		buffer_append_text(out, ",");
		append_pair(out, shown[i].name, bytes_of_text(dead_letter_header(letter, shown[i].header, arena)));
	}
	buffer_append_format(out, ",\"tries\":%ld",
			     strtol(dead_letter_header(letter, "dlq-tries", arena), NULL, 10)); /* no number: 0 */
	if (letter->settled) {
		buffer_append_text(out, ",");
		append_pair(out, "settled", bytes_of_text(letter->settled));
	}
	append_headers(letter, out);
	append_body(letter, registry, out);
	buffer_append_text(out, "}");
}

static void print_json_list(const struct session *session_, struct dead_letters *letters)
{
	_cleanup_(registry_client_freep)
	struct registry_client *registry = make_registry(session_);
	bool is_lines = strcmp(session_->output, "jsonl") == 0;

	if (!is_lines)
		(void)printf("[");
	for (size_t i = 0; i < letters->count; i++) {
		_cleanup_(buffer_release)
		struct buffer out = {0};

		append_json(&letters->items[i], registry, &letters->arena, &out);
		(void)printf("%s%s%s", is_lines || i == 0 ? "" : ",\n", buffer_text(&out), is_lines ? "\n" : "");
	}
	if (!is_lines)
		(void)printf("]\n");
}

/* ---- list ---- */

static void print_table(struct dead_letters *letters)
{
	static const char *const names[] = {"ID", "TIME", "REASON", "TRIES", "KEY", "STEP", "DETAIL"};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;

	table_init(&table, ARRAY_LEN(names), table_colours_wanted());
	table.width_max = terminal_of_output().columns;
	table.flexible = 1u << 4 | 1u << 6;
	table_add_head(&table, names);
	for (size_t i = 0; i < letters->count; i++) {
		const struct dead_letter *letter = &letters->items[i];
		struct arena *arena = &letters->arena;

		table_add(&table, TABLE_PLAIN, "%s", letter->id);
		table_add(&table, TABLE_DIM, "%.19s", dead_letter_header(letter, "dlq-time", arena));
		table_add(&table, letter->settled ? TABLE_DIM : TABLE_RED, "%s",
			  letter->settled ? letter->settled : dead_letter_header(letter, "dlq-reason", arena));
		table_add(&table, TABLE_PLAIN, "%s", dead_letter_header(letter, "dlq-tries", arena));
		table_add(&table, TABLE_PLAIN, "%.*s", (int)letter->record.key.len,
			  (const char *)letter->record.key.data);
		table_add(&table, TABLE_PLAIN, "%s", dead_letter_header(letter, "saga-step", arena));
		table_add(&table, TABLE_PLAIN, "%s", dead_letter_header(letter, "dlq-detail", arena));
	}
	table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
}

static void say_cut(const struct dead_letters *letters)
{
	if (letters->is_cut)
		(void)fprintf(stderr, "sagactl: there are more than %d; the others were left out\n", DEAD_LETTERS_MAX);
}

static enum exit_code run_list(struct session *session_, char **arguments, int count)
{
	struct dead_letters letters;
	struct error err;
	int rc;

	(void)arguments;
	(void)count;
	filter.with_settled = wants_all;
	rc = read_letters(session_, &letters, &err);
	if (rc == 0 && session_wants_json(session_))
		print_json_list(session_, &letters);
	else if (rc == 0 && letters.count == 0)
		(void)printf("no dead letters\n");
	else if (rc == 0)
		print_table(&letters);
	say_cut(&letters);
	dead_letters_release(&letters);
	return rc < 0 ? session_fail(&err) : EXIT_DONE;
}

static const struct option list_options[] = {
	FILTER_OPTIONS,
	{.flag = "all", .type = OPTION_BOOL, .help = "Those that were replayed or dropped, too.", .place = &wants_all},
};

const struct command dlq_list_command = {
	.name = "dlq list",
	.summary = "list dead letters",
	.notes = "A dead letter is a record that could not be handled; REASON and DETAIL say why. With -o json each "
		 "one comes with\n"
		 "all headers and its decoded value.\n",
	.examples = "sagactl dlq list\n"
		    "sagactl dlq list --topic shipping.ship.command --reason failed -o jsonl\n",
	.options = list_options,
	.option_count = ARRAY_LEN(list_options),
	.run = run_list,
};

/* ---- show ---- */

static void print_letter(const struct session *session_, struct dead_letters *letters, const struct dead_letter *letter)
{
	_cleanup_(registry_client_freep)
	struct registry_client *registry = make_registry(session_);
	_cleanup_(buffer_release)
	struct buffer out = {0};
	_cleanup_(buffer_release)
	struct buffer body = {0};
	struct table table;
	struct error err;

	table_init(&table, 2, table_colours_wanted());
	table_add(&table, TABLE_BOLD, "id");
	table_add(&table, TABLE_BOLD, "%s", letter->id);
	if (letter->settled) {
		table_add(&table, TABLE_PLAIN, "settled");
		table_add(&table, TABLE_DIM, "%s", letter->settled);
	}
	table_add(&table, TABLE_PLAIN, "key");
	table_add(&table, TABLE_PLAIN, "%.*s", (int)letter->record.key.len, (const char *)letter->record.key.data);
	for (size_t i = 0; i < letter->record.header_count; i++) {
		const struct kafka_header *header = &letter->record.headers[i];

		table_add(&table, TABLE_DIM, "%s", header->name);
		table_add(&table, TABLE_PLAIN, "%s",
			  arena_strndup(&letters->arena, (const char *)header->value.data, header->value.len));
	}
	table_add(&table, TABLE_PLAIN, "value");
	if (dead_letter_decode(letter, registry, &body, &err) == 0)
		table_add(&table, TABLE_PLAIN, "%s", buffer_text(&body));
	else
		table_add(&table, TABLE_RED, "%zu bytes: %s", letter->record.value.len, err.msg);
	table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
}

static void print_json_letter(const struct session *session_, struct dead_letters *letters)
{
	_cleanup_(registry_client_freep)
	struct registry_client *registry = make_registry(session_);
	_cleanup_(buffer_release)
	struct buffer out = {0};

	append_json(&letters->items[0], registry, &letters->arena, &out);
	(void)printf("%s\n", buffer_text(&out));
}

static enum exit_code run_show(struct session *session_, char **arguments, int count)
{
	struct dead_letters letters;
	struct error err;
	int rc;

	filter.ids = arguments;
	filter.id_count = (size_t)count;
	filter.with_settled = true;
	rc = read_letters(session_, &letters, &err);
	if (rc == 0 && letters.count == 0)
		rc = error_set(&err, ERR_NOT_FOUND, "there is no dead letter '%s'; see sagactl dlq list --all",
			       arguments[0]);
	else if (rc == 0 && session_wants_json(session_))
		print_json_letter(session_, &letters);
	else if (rc == 0)
		print_letter(session_, &letters, &letters.items[0]);
	dead_letters_release(&letters);
	return rc < 0 ? session_fail(&err) : EXIT_DONE;
}

const struct command dlq_show_command = {
	.name = "dlq show",
	.arguments = "ID",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "show a dead letter with its headers and its decoded value",
	.examples = "sagactl dlq show shipping.ship.command.dlq/0/17\n",
	.run = run_show,
};

/* ---- replay and drop ---- */

static bool is_filtered(void)
{
	return wants_all || filter.topic || filter.reason || filter.saga || filter.key || filter.id_count > 0;
}

/* The value is not here any more, so there is nothing to replay. */
static int check_whole(const struct dead_letters *letters, struct error *err)
{
	for (size_t i = 0; i < letters->count; i++)
		if (kafka_record_header(&letters->items[i].record, "dlq-value-bytes"))
			return error_set(
				err, ERR_LIMIT,
				"'%s' has no value here, it was too large; nothing was replayed: name the others",
				letters->items[i].id);
	return 0;
}

static int check_found(const struct dead_letters *letters, struct error *err)
{
	for (size_t i = 0; i < filter.id_count; i++) {
		bool is_found = false;

		for (size_t j = 0; j < letters->count && !is_found; j++)
			is_found = strcmp(letters->items[j].id, filter.ids[i]) == 0;
		if (!is_found)
			return error_set(
				err, ERR_NOT_FOUND,
				"there is no open dead letter '%s'; nothing was done; see sagactl dlq list --all",
				filter.ids[i]);
	}
	return 0;
}

static void say_settled(const struct session *session_, const struct dead_letters *letters, bool is_replay, size_t done)
{
	const char *verb = is_replay ? "replayed" : "dropped";

	if (session_wants_json(session_)) {
		(void)printf("{\"matched\":%zu,\"%s\":%zu,\"dryRun\":%s}\n", letters->count, verb, done,
			     is_dry_run ? "true" : "false");
		return;
	}
	for (size_t i = 0; i < letters->count && is_dry_run; i++)
		(void)printf("%s\n", letters->items[i].id);
	if (is_dry_run)
		(void)printf("%zu would be %s\n", letters->count, verb);
	else
		(void)printf("%zu of %zu %s\n", done, letters->count, verb);
}

static enum exit_code settle(struct session *session_, char **arguments, int count, bool is_replay)
{
	struct kafka_options kafka = session_kafka(session_);
	struct dead_letters letters;
	struct error err;
	size_t done = 0;
	int rc;

	filter.ids = arguments;
	filter.id_count = (size_t)count;
	if (!is_filtered()) {
		(void)error_set(&err, ERR_INVALID, "which ones? give ids, --topic, --reason, --saga, --key, or --all");
		return session_fail(&err);
	}
	rc = read_letters(session_, &letters, &err);
	if (rc == 0)
		rc = check_found(&letters, &err);
	if (rc == 0 && is_replay)
		rc = check_whole(&letters, &err);
	if (rc == 0) {
		if (!is_dry_run && letters.count > 0)
			rc = dead_letters_settle(&kafka, &letters, is_replay, &done, &err);
		say_settled(session_, &letters, is_replay, done);
		say_cut(&letters);
	}
	dead_letters_release(&letters);
	return rc < 0 ? session_fail(&err) : EXIT_DONE;
}

static enum exit_code run_replay(struct session *session_, char **arguments, int count)
{
	return settle(session_, arguments, count, true);
}

static enum exit_code run_drop(struct session *session_, char **arguments, int count)
{
	return settle(session_, arguments, count, false);
}

static const struct option settle_options[] = {
	FILTER_OPTIONS,
	{.flag = "all", .type = OPTION_BOOL, .help = "Every open one.", .place = &wants_all},
	{.flag = "dry-run", .type = OPTION_BOOL, .help = "Say which ones; change nothing.", .place = &is_dry_run},
};

const struct command dlq_replay_command = {
	.name = "dlq replay",
	.arguments = "[ID…]",
	.arguments_max = 1000,
	.summary = "send dead letters to their topics again",
	.notes = "Once what was wrong is mended: the command is handled as if it had just come, so its saga goes on, a "
		 "stuck one, too.\n"
		 "Filters add up. At most 10,000 at once.\n",
	.examples = "sagactl dlq replay shipping.ship.command.dlq/0/17\n"
		    "sagactl dlq replay --topic shipping.ship.command --reason failed --dry-run\n",
	.options = settle_options,
	.option_count = ARRAY_LEN(settle_options),
	.run = run_replay,
};

const struct command dlq_drop_command = {
	.name = "dlq drop",
	.arguments = "[ID…]",
	.arguments_max = 1000,
	.summary = "put dead letters aside for good",
	.notes = "They are not listed any more (dlq list --all does); Kafka deletes them when their retention is over. "
		 "Filters add up.\n",
	.examples = "sagactl dlq drop payment.charged.dlq/0/3\n"
		    "sagactl dlq drop --reason undecodable --dry-run\n",
	.options = settle_options,
	.option_count = ARRAY_LEN(settle_options),
	.run = run_drop,
};
