/* topic_commands.c - sagactl topics create. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/subject_map.h"
#include "lib/kafka/side_topic.h"

static const char *map_path;
static int64_t partitions;
static int64_t replication;
static int64_t retention_ms;
static int64_t dead_retention_ms;

static const char COMMAND_SUFFIX[] = ".command";

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
	{.flag = "dlq-retention",
	 .type = OPTION_DURATION_MS,
	 .default_text = "30d",
	 .help = "How long a new topic of dead letters keeps them.",
	 .place = &dead_retention_ms},
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

static bool is_command_topic(const char *name)
{
	size_t len = strlen(name);
	size_t suffix_len = strlen(COMMAND_SUFFIX);

	return len > suffix_len && strcmp(name + len - suffix_len, COMMAND_SUFFIX) == 0;
}

/* Appends what stands beside each topic: dead letters, and retry topics where commands are read. */
static size_t add_side_topics(struct kafka_topic *topics, size_t count, struct arena *arena)
{
	size_t all = count;

	for (size_t i = 0; i < count; i++)
		for (int side = 0; side < SIDE_TOPIC_COUNT; side++) {
			bool is_dead = side == SIDE_TOPIC_DEAD;

			if (!is_dead && !is_command_topic(topics[i].name))
				continue;
			topics[all] = topics[i];
			topics[all].name = side_topic_name((enum side_topic)side, topics[i].name, arena);
			if (is_dead) {
				topics[all].partitions = 1; /* few, and one partition keeps their order */
				topics[all].retention_ms = dead_retention_ms;
			}
			all++;
		}
	return all;
}

static enum exit_code create_all(struct session *session_, const struct subject_map *map)
{
	struct kafka_options options = {.brokers = session_->kafka_brokers, .client_id = "sagactl"};
	_cleanup_(freep)
	struct kafka_topic *topics = xcalloc((map->count + 1) * (1 + SIDE_TOPIC_COUNT), sizeof(*topics));
	_cleanup_(arena_release)
	struct arena arena = {0};
	size_t count = add_side_topics(topics, topics_of(map, topics), &arena);
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
	.summary = "create the topics of a map of subjects, with their retry topics and dead letters",
	.notes = "Beside each topic stands TOPIC.dlq for dead letters, with one partition; beside one whose name ends "
		 "in\n"
		 ".command also TOPIC.retry.1s and TOPIC.retry.30s. Topics that exist are left as they are.\n",
	.examples = "sagactl topics create --map proto/shop/subjects.yaml\n"
		    "sagactl topics create --map proto/shop/subjects.yaml --partitions 12 --replication 3\n",
	.options = create_options,
	.option_count = ARRAY_LEN(create_options),
	.run = run_create,
};
