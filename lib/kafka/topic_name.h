/*
 * topic_name.h - which texts can be the name of a topic, by Kafka's rule.
 *
 * Why:        a wrong name is otherwise found out by the broker, when somebody waits for what is to go there.
 */
#ifndef LIB_KAFKA_TOPIC_NAME_H
#define LIB_KAFKA_TOPIC_NAME_H

#include "lib/base/error.h"

/* ERR_INVALID says what would do, without the text itself: "must be 1 to 249 of …". */
NODISCARD int topic_name_check(const char *text, struct error *err);

#endif
