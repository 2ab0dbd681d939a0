/* kafka_config.c - see kafka_config.h. */
#include "lib/kafka/kafka_config.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <syslog.h>

#include "lib/base/log.h"

/* librdkafka has its own idea of what deserves a line; only what it calls an error or worse means lost service. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk; /* its name is in the text */
	if (level <= LOG_ERR)
		log_warn("kafka_client", "facility=%s text=%s", facility, LOG_TEXT(text));
	else
		log_debug("kafka_client", "facility=%s text=%s", facility, LOG_TEXT(text));
}

static int set_property(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
	char why[256] = "";

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	return error_set(err, ERR_INVALID, "cannot set kafka property '%s': %s", name, why);
}

int kafka_config_new(const struct kafka_options *options, const struct text_pair *settings, size_t setting_count,
		     rd_kafka_conf_t **ret_conf, struct error *err)
{
	_cleanup_(rd_kafka_conf_destroyp)
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	assert(options->brokers);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (set_property(conf, "bootstrap.servers", options->brokers, err) < 0)
		return -1;
	if (options->client_id && set_property(conf, "client.id", options->client_id, err) < 0)
		return -1;
	for (size_t i = 0; i < setting_count; i++)
		if (set_property(conf, settings[i].name, settings[i].value, err) < 0)
			return -1;
	for (size_t i = 0; i < options->property_count; i++)
		if (set_property(conf, options->properties[i].name, options->properties[i].value, err) < 0)
			return -1;
	*ret_conf = take_ptr(conf);
	return 0;
}

void kafka_options_check(const struct kafka_options *options, const char *prefix, struct problems *problems)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct error err;

	for (size_t i = 0; i < options->property_count; i++) {
		const struct text_pair *property = &options->properties[i];

		_cleanup_(buffer_release)
		struct buffer place = {0};

		buffer_append_format(&place, "%s%s", prefix, property->name);
		if (set_property(conf, property->name, property->value, &err) < 0)
			problems_add(problems, buffer_text(&place), "%s", err.msg);
	}
	rd_kafka_conf_destroy(conf);
}

static bool is_of_sasl(const struct text_pair *property)
{
	return strncasecmp(property->name, "sasl.", 5) == 0 ||
	       (strcmp(property->name, "security.protocol") == 0 && strncasecmp(property->value, "sasl", 4) == 0);
}

void kafka_options_spare_plugins(const struct kafka_options *options)
{
	for (size_t i = 0; i < options->property_count; i++)
		if (is_of_sasl(&options->properties[i]))
			return;
	(void)setenv("SASL_PATH", "/dev/null", 0); /* no folder, so nothing is in it; failing costs memory alone */
}

int kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_rk, struct error *err)
{
	char why[256] = "";
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));

	if (!rk) {
		rd_kafka_conf_destroy(conf); /* only a success takes it */
		return error_set(err, ERR_INVALID, "cannot make a kafka client: %s", why);
	}
	*ret_rk = rk;
	return 0;
}

struct kafka_options kafka_options_copy(const struct kafka_options *options)
{
	struct text_pair *properties = xcalloc(options->property_count + 1, sizeof(*properties));

	for (size_t i = 0; i < options->property_count; i++) {
		properties[i].name = xstrdup(options->properties[i].name);
		properties[i].value = xstrdup(options->properties[i].value);
	}
	return (struct kafka_options){
		.brokers = xstrdup(options->brokers),
		.client_id = options->client_id ? xstrdup(options->client_id) : NULL,
		.properties = properties,
		.property_count = options->property_count,
	};
}

void kafka_options_release(struct kafka_options *options)
{
	for (size_t i = 0; i < options->property_count; i++) {
		free((void *)options->properties[i].name);
		free((void *)options->properties[i].value);
	}
	free((void *)options->properties);
	free((void *)options->brokers);
	free((void *)options->client_id);
	*options = (struct kafka_options){0};
}

static enum err_code error_kind(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		return ERR_NOT_FOUND;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		return ERR_LIMIT;
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
		return ERR_CONFLICT;
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
	case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
	case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
		return ERR_INVALID;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return ERR_DENIED;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		return ERR_TIMEOUT;
	default:
		return ERR_UNAVAILABLE; /* most of what remains passes: elections, restarts, lost connections */
	}
}

int kafka_error_set(struct error *err, rd_kafka_resp_err_t code, const char *what, const char *detail)
{
	return error_set(err, error_kind(code), "%s: %s (kafka, %s)", what, detail ? detail : rd_kafka_err2str(code),
			 rd_kafka_err2name(code));
}
