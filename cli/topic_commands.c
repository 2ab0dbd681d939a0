/* topic_commands.c - sagactl topics create. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/subject_map.h"
#include "lib/kafka/kafka.h"

static const char *map_path;
static int64_t partitions;
static int64_t replication;
static int64_t retention_ms;

static const struct option create_options[] = {
	{.flag = "map",
	 .is_required = true,
	 .value_name = "FILE",
	 .help = "The list of subjects and their topics, such as proto/shop/subjects.yaml.",
	 .place = &map_path},
	{.flag = "partitions",
	 .type = OPTION_INT,
	 .default_text = "6",
	 .min = 1,
	 .max = 10000,
	 .value_name = "N",
	 .help = "Partitions of a new topic.",
	 .place = &partitions},
	{.flag = "replication",
	 .type = OPTION_INT,
	 .default_text = "1",
	 .min = 1,
	 .max = 100,
	 .value_name = "N",
	 .help = "Replicas of a new topic; 3 in production.",
	 .place = &replication},
	{.flag = "retention",
	 .type = OPTION_DURATION_MS,
	 .default_text = "7d",
	 .help = "How long a new topic keeps its records.",
	 .place = &retention_ms},
};

static bool is_listed(const struct kafka_topic *topics, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(topics[i].name, name) == 0)
			return true;
	}
	return false;
}

static size_t topics_of(const struct subject_map *map, struct kafka_topic *topics)
{
	size_t count = 0;

	for (size_t i = 0; i < map->count; i++) {
		const char *name = map->entries[i].topic;

		if (name && !is_listed(topics, count, name))
			topics[count++] = (struct kafka_topic){.name = name,
							       .partitions = (int)partitions,
							       .replication_factor = (int)replication,
							       .retention_ms = retention_ms};
	}
	return count;
}

static enum exit_code create_all(struct session *session_, const struct subject_map *map)
{
	struct kafka_options options = {.brokers = session_->kafka_brokers, .client_id = "sagactl"};
	_cleanup_(freep)
	struct kafka_topic *topics = xcalloc(map->count + 1, sizeof(*topics));
	size_t count = topics_of(map, topics);
	size_t created = 0;
	struct error err;

	if (count > 0 && kafka_create_topics(&options, topics, count, &created, &err) < 0)
		return session_fail(&err);
	if (session_wants_json(session_))
		(void)printf("{\"topics\":%zu,\"created\":%zu}\n", count, created);
	else
		(void)printf("%zu topics, %zu of them created now\n", count, created);
	return EXIT_DONE;
}

static enum exit_code run_create(struct session *session_, char **arguments, int count)
{
	struct subject_map map;
	enum exit_code code;
	struct error err;

	(void)arguments;
	(void)count;
	if (subject_map_load_or_say(map_path, &map, &err) < 0)
		return exit_code_of(err.code);
	code = create_all(session_, &map);
	subject_map_release(&map);
	return code;
}

const struct command topics_create_command = {
	.name = "topics create",
	.summary = "create the topics of a map of subjects",
	.notes = "Topics that exist are left as they are.\n",
	.examples = "sagactl topics create --map proto/shop/subjects.yaml\n"
		    "sagactl topics create --map proto/shop/subjects.yaml --partitions 12 --replication 3\n",
	.options = create_options,
	.option_count = ARRAY_LEN(create_options),
	.run = run_create,
};
