/* schema_diff_command.c - sagactl schema diff. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/file.h"
#include "cli/file_tree.h"
#include "cli/schema_text.h"
#include "schema-registry/client/registry_client.h"

static int64_t from_version;
static int64_t to_version;

static const struct option diff_options[] = {
	{.flag = "from",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "The older version; 0: the one before the newer, or with a file the latest.",
	 .place = &from_version},
	{.flag = "to",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "The newer version; 0: the latest.",
	 .place = &to_version},
};

static int append_version(struct registry_client *client, const char *subject, int32_t version, struct buffer *out,
			  struct error *err)
{
	const struct schema *schema;
	int32_t number;
	int32_t id;

	if (registry_client_version(client, subject, version, &id, &number, &schema, err) < 0)
		return -1;
	schema_text_append(out, schema);
	return 0;
}

/* As the registry would print it; a text that needs its imports stays as it is written. */
static int append_file(const char *path, struct buffer *out, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	enum schema_format format;
	struct problems problems;
	struct schema *schema = NULL;

	if (!file_tree_is_schema(path, &format))
		return error_set(err, ERR_INVALID, "%s: a schema file ends in .proto or .avsc", path);
	if (file_read(path, SCHEMA_TEXT_BYTES_MAX, &text, err) < 0)
		return -1;
	problems_init(&problems);
	if (schema_parse(format, buffer_bytes(&text), NULL, 0, &schema, &problems) == 0)
		schema_text_append(out, schema);
	else
		buffer_append(out, text.data, text.len);
	problems_release(&problems);
	schema_unref(schema);
	return 0;
}

/* The newest live version before `to`, which 0 says is the latest. */
static int choose_from(struct registry_client *client, const char *subject, int32_t *ret_from, struct error *err)
{
	_cleanup_(freep)
	int32_t *versions = NULL;
	size_t count;

	if (registry_client_versions(client, subject, &versions, &count, err) < 0)
		return -1;
	for (size_t i = count; i-- > 1;) {
		if (to_version == 0 || versions[i] == to_version) {
			*ret_from = versions[i - 1];
			return 0;
		}
	}
	return error_set(err, ERR_NOT_FOUND, "subject '%s' has no version before %s", subject,
			 to_version ? "that" : "its latest");
}

static int load(struct registry_client *client, char **arguments, int count, struct buffer *old, struct buffer *update,
		struct error *err)
{
	int32_t from = (int32_t)from_version;

	if (count == 2)
		return append_version(client, arguments[0], from, old, err) < 0
			       ? -1
			       : append_file(arguments[1], update, err);
	if (from == 0 && choose_from(client, arguments[0], &from, err) < 0)
		return -1;
	if (append_version(client, arguments[0], from, old, err) < 0)
		return -1;
	return append_version(client, arguments[0], (int32_t)to_version, update, err);
}

static enum exit_code run_diff(struct session *session_, char **arguments, int count)
{
	struct registry_client_options options = {.url = session_->registry_url,
						  .security = session_->registry_security};
	_cleanup_(registry_client_freep)
	struct registry_client *client = registry_client_new(&options);
	_cleanup_(buffer_release)
	struct buffer old = {0};
	_cleanup_(buffer_release)
	struct buffer update = {0};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct error err;

	if (count == 2 && to_version > 0) {
		(void)fprintf(stderr, "sagactl schema diff: give a file, or --to\n");
		return EXIT_USAGE;
	}
	if (load(client, arguments, count, &old, &update, &err) < 0)
		return session_fail(&err);
	schema_text_diff(&out, buffer_text(&old), buffer_text(&update));
	(void)printf("%s", buffer_text(&out));
	return EXIT_DONE;
}

const struct command schema_diff_command = {
	.name = "schema diff",
	.arguments = "SUBJECT [FILE]",
	.arguments_min = 1,
	.arguments_max = 2,
	.summary = "show what changed between two versions, or since the latest in a file",
	.notes = "Nothing is shown where they are equal. Whether a change breaks anybody: sagactl schema check.\n",
	.examples = "sagactl schema diff order.created-value --from 1 --to 3\n"
		    "sagactl schema diff order.created-value proto/shop/order/v1/order_created.proto\n",
	.options = diff_options,
	.option_count = ARRAY_LEN(diff_options),
	.run = run_diff,
};
