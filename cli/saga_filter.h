/*
 * saga_filter.h - the flags that say which sagas are meant, of `list`, `watch`, and requests for many.
 *
 * Threads:    one command a process, so its flags have fixed places here.
 */
#ifndef CLI_SAGA_FILTER_H
#define CLI_SAGA_FILTER_H

#include "lib/base/arena.h"
#include "lib/base/problems.h"
#include "lib/base/text_pair.h"
#include "lib/options/options.h"
#include "proto/saga/v1/saga_service.pb-c.h"

struct saga_filter_flags {
	struct option_list states;
	const char *definition;
	int64_t definition_version;
	const char *key;
	struct option_list labels;
	bool is_paused;
};
extern struct saga_filter_flags saga_filter_flags;

/* Entries for a command's table of options. */
#define SAGA_FILTER_STATES "scheduled running completing completed compensating compensated stuck failed open ended"
/* clang-format off */
#define SAGA_FILTER_OPTIONS SAGA_FILTER_STATE_OPTION, SAGA_FILTER_OTHER_OPTIONS
#define SAGA_FILTER_STATE_OPTION                                                                                       \
	{.flag = "state", .letter = 's', .type = OPTION_LIST, .choices = SAGA_FILTER_STATES, .value_name = "STATE",    \
	 .help = "In this state; open is every state before the end, ended every one after it.",                       \
	 .place = &saga_filter_flags.states}
#define SAGA_FILTER_OTHER_OPTIONS                                                                                      \
	{.flag = "definition", .letter = 'd', .value_name = "DEFINITION", .help = "Of this definition.",               \
	 .place = &saga_filter_flags.definition},                                                                      \
	{.flag = "definition-version", .type = OPTION_INT, .max = INT32_MAX, .value_name = "N",                        \
	 .help = "Of this version of the definition.", .place = &saga_filter_flags.definition_version},                \
	{.flag = "key", .letter = 'k', .value_name = "KEY", .help = "With this key, such as an order id.",             \
	 .place = &saga_filter_flags.key},                                                                             \
	{.flag = "paused", .type = OPTION_BOOL, .help = "Paused ones alone.",                                          \
	 .place = &saga_filter_flags.is_paused},                                                                       \
	{.flag = "label", .letter = 'l', .type = OPTION_LIST, .value_name = "NAME=VALUE",                              \
	 .help = "With this label; all of them must fit.", .place = &saga_filter_flags.labels}
/* clang-format on */

/* In the arena. -1 with every wrong flag in `problems`. */
NODISCARD int saga_filter_make(struct arena *arena, Saga__V1__SagaFilter *ret_filter, struct problems *problems);

/* Of each "NAME=VALUE", as labels are given with other commands, too; in the arena. What is none is a problem of --label. */
struct text_pair *saga_labels_read(struct arena *arena, const struct option_list *labels, struct problems *problems);

#endif
