/*
 * kafka_settings.h - which brokers a program uses, and how: the rows of its option table.
 */
#ifndef LIB_KAFKA_KAFKA_SETTINGS_H
#define LIB_KAFKA_KAFKA_SETTINGS_H

#include "lib/kafka/kafka.h"
#include "lib/options/options.h"

struct kafka_settings {
	const char *brokers;
	struct option_properties properties;
};

/* clang-format off */
/* `its_place`: the properties of a struct kafka_settings. */
#define KAFKA_PROPERTY_OPTION(its_place, its_help)                                                                     \
	{.flag = "kafka-property",                                                                                     \
	 .environment = "KAFKA_PROPERTY_",                                                                             \
	 .type = OPTION_PROPERTIES,                                                                                    \
	 .prefix = "kafka.",                                                                                           \
	 .value_name = "NAME=VALUE",                                                                                   \
	 .help = its_help,                                                                                             \
	 .place = &(its_place)}
/* `object`: struct kafka_settings. */
#define KAFKA_SETTINGS_OPTIONS(object)                                                                                 \
	{.flag = "kafka-brokers",                                                                                      \
	 .environment = "KAFKA_BROKERS",                                                                               \
	 .default_text = "127.0.0.1:9092",                                                                             \
	 .value_name = "HOST:PORT,…",                                                                                  \
	 .help = "brokers to begin with",                                                                              \
	 .place = &(object).brokers},                                                                                  \
	KAFKA_PROPERTY_OPTION((object).properties,                                                                     \
			      "any property of librdkafka, such as security.protocol=SASL_SSL")
/* clang-format on */

/* Borrows from the settings. */
static inline struct kafka_options kafka_settings_options(const struct kafka_settings *settings, const char *client_id)
{
	return (struct kafka_options){.brokers = settings->brokers,
				      .client_id = client_id,
				      .properties = settings->properties.items,
				      .property_count = settings->properties.count};
}

#endif
