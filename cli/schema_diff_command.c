/* schema_diff_command.c - sagactl schema diff. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/schema_text.h"
#include "cli/schema_tree.h"
#include "schema-registry/client/registry_client.h"

static int64_t from_version;
static int64_t to_version;
static struct option_list import_paths;

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
	{.flag = "import-path",
	 .letter = 'I',
	 .type = OPTION_LIST,
	 .value_name = "DIR",
	 .help = "Where the file's imports are looked for first; may repeat. The folders above it are searched anyway.",
	 .place = &import_paths},
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

/* ---- a file, as the registry would print it ---- */

/* What the file imports and is not to be found here: as the version that it is compared with has it. */
static int parse_with_references(struct registry_client *client, const char *subject, const struct schema_file *file,
				 struct arena *arena, struct schema **ret_schema, struct error *err)
{
	struct registry_entry entry;
	struct schema_reference *references;
	struct problems problems;
	int result;

	if (registry_client_entry(client, subject, (int32_t)from_version, arena, &entry, err) < 0)
		return -1;
	references = arena_alloc(arena, (entry.reference_count + 1) * sizeof(*references));
	for (size_t i = 0; i < entry.reference_count; i++) {
		int32_t id;
		int32_t version;

		references[i].name = entry.references[i].name;
		if (registry_client_version(client, entry.references[i].subject, entry.references[i].version, &id,
					    &version, &references[i].schema, err) < 0)
			return -1;
	}
	problems_init(&problems);
	result = schema_parse(file->format, file->text, references, entry.reference_count, ret_schema, &problems);
	problems_release(&problems);
	return result < 0 ? error_set(err, ERR_INVALID, "%s: is no valid schema", file->name) : 0;
}

static void say_problems(const struct schema_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		const struct schema_file *file = tree->files[i];

		for (size_t k = 0; file->problems && k < problems_kept(file->problems); k++)
			(void)fprintf(stderr, "%s%s%s: error: %s\n", file->name,
				      *file->problems->items[k].place ? ":" : "", file->problems->items[k].place,
				      file->problems->items[k].text);
	}
}

static int append_file(struct registry_client *client, const char *subject, const char *path, struct buffer *out,
		       struct error *err)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	const struct schema_tree_options options = {
		.roots = file_tree_tidy(&arena, &path, 1),
		.root_count = 1,
		.import_paths = file_tree_tidy(&arena, import_paths.items, import_paths.count),
		.import_path_count = import_paths.count};
	_cleanup_(file_tree_freep)
	struct file_tree *files = file_tree_of_disk();
	_cleanup_(schema_tree_freep)
	struct schema_tree *tree = NULL;
	_cleanup_(schema_unrefp)
	struct schema *schema = NULL;
	enum schema_format format;

	if (!file_tree_is_schema(path, &format))
		return error_set(err, ERR_INVALID, "%s: a schema file ends in .proto or .avsc", path);
	if (schema_tree_load(files, &options, &tree, err) < 0)
		return -1;
	if (tree->files[0]->schema)
		schema = schema_ref(tree->files[0]->schema);
	else if (parse_with_references(client, subject, tree->files[0], &arena, &schema, err) < 0) {
		say_problems(tree);
		return -1;
	}
	schema_text_append(out, schema);
	return 0;
}

/* ---- which versions ---- */

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
			       : append_file(client, arguments[0], arguments[1], update, err);
	if (from == 0 && choose_from(client, arguments[0], &from, err) < 0)
		return -1;
	if (append_version(client, arguments[0], from, old, err) < 0)
		return -1;
	return append_version(client, arguments[0], (int32_t)to_version, update, err);
}

static enum exit_code run_diff(struct session *session_, char **arguments, int count)
{
	struct registry_client_options options = session_registry(session_);
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
	.notes = "Both as the registry prints them, so comments and blanks are no difference. What the file imports "
		 "is taken\n"
		 "from the folders around it, else from the registry. Nothing is shown where they are equal. Whether a "
		 "change breaks anybody: sagactl schema check.\n",
	.examples = "sagactl schema diff order.created-value --from 1 --to 3\n"
		    "sagactl schema diff order.created-value proto/shop/order/v1/order_created.proto\n",
	.options = diff_options,
	.option_count = ARRAY_LEN(diff_options),
	.run = run_diff,
};
