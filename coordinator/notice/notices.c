/* notices.c - see notices.h. */
#include "coordinator/notice/notices.h"

#include <ctype.h>
#include <stdlib.h>

#include "coordinator/notice/stuck_event.h"
#include "coordinator/notice/webhook.h"
#include "lib/base/memory.h"

enum { FACTS_A_BATCH = 500, CALLS_A_BATCH = 10, NAME_BYTES_MAX = 40 };

struct target {
	char *name;
	struct stuck_event *event; /* this … */
	struct webhook *webhook;   /* … or that */
	struct notice_sender *sender;
};

struct notices {
	struct target targets[NOTICE_TARGETS_MAX];
	size_t count;
	struct webhook_secrets secrets;
	struct notice_metrics of_kafka;
	struct notice_metrics of_webhooks;
};

/* ---- what is wrong ---- */
static bool is_name(const char *text)
{
	const size_t len = strlen(text);

	for (const char *at = text; *at; at++)
		if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '-' && *at != '_')
			return false;
	return len > 0 && len <= NAME_BYTES_MAX;
}

void notices_check(const struct notices_options *options, struct problems *problems)
{
	struct webhook_secrets secrets;
	struct error err;

	if (options->webhook_count > WEBHOOKS_MAX)
		problems_add(problems, "webhook", "there are more than %d", WEBHOOKS_MAX);
	for (size_t i = 0; i < options->webhook_count; i++) {
		const struct text_pair *webhook = &options->webhooks[i];

		if (!is_name(webhook->name))
			problems_add(problems, "webhook", "name '%.60s' must be 1 to %d of a-z, 0-9, - and _",
				     webhook->name, NAME_BYTES_MAX);
		if (webhook_url_check(webhook->value, &err) < 0)
			problems_add(problems, "webhook", "%.60s %s", webhook->name, err.msg);
	}
	if (options->webhook_count > 0 && !options->secret)
		problems_add(problems, "webhook-secret", "is needed: webhooks are signed with it");
	else if (options->secret && webhook_secrets_parse(options->secret, &secrets, &err) < 0)
		problems_add(problems, "webhook-secret", "%s", err.msg);
}

/* ---- life ---- */
static char *webhook_target(const char *name)
{
	struct buffer text = {0};

	buffer_append_format(&text, "webhook %s", name);
	return (char *)text.data; /* the caller's */
}

static void add_webhooks(struct notices *notices, const struct notices_options *options)
{
	for (size_t i = 0; i < options->webhook_count; i++) {
		struct target *target = &notices->targets[notices->count++];

		target->name = webhook_target(options->webhooks[i].name);
		target->webhook = webhook_new(&(struct webhook_options){.name = options->webhooks[i].name,
									.url = options->webhooks[i].value,
									.secrets = &notices->secrets,
									.catalog = options->catalog});
	}
}

static int add_kafka(struct notices *notices, const struct notices_options *options, struct error *err)
{
	struct target *target = &notices->targets[notices->count];

	if (stuck_event_new(&(struct stuck_event_options){.kafka = options->kafka,
							  .topic = options->topic,
							  .registry = options->registry,
							  .registry_url = options->registry_url},
			    &target->event, err) < 0)
		return -1;
	target->name = xstrdup("kafka");
	notices->count++;
	return 0;
}

int notices_new(const struct notices_options *options, struct notices **ret_notices, struct error *err)
{
	struct notices *notices = xcalloc(1, sizeof(*notices));

	notices->of_kafka = notice_metrics_new(options->metrics, "kafka");
	notices->of_webhooks = notice_metrics_new(options->metrics, "webhook");
	if ((options->secret && webhook_secrets_parse(options->secret, &notices->secrets, err) < 0) ||
	    (options->topic && add_kafka(notices, options, err) < 0)) {
		notices_free(notices);
		return -1;
	}
	add_webhooks(notices, options);
	*ret_notices = notices;
	return 0;
}

void notices_free(struct notices *notices)
{
	if (!notices)
		return;
	for (size_t i = 0; i < notices->count; i++)
		notice_sender_free(notices->targets[i].sender);
	for (size_t i = 0; i < notices->count; i++) {
		stuck_event_free(notices->targets[i].event);
		webhook_free(notices->targets[i].webhook);
		free(notices->targets[i].name);
	}
	free(notices);
}

/* ---- targets ---- */
size_t notices_target_count(const struct notices *notices)
{
	return notices->count;
}

const char *notices_target(const struct notices *notices, size_t index)
{
	return notices->targets[index].name;
}

int notices_run(struct notices *notices, const struct notice_port *ports, struct error *err)
{
	for (size_t i = 0; i < notices->count; i++) {
		struct target *target = &notices->targets[i];
		const struct notice_sender_options of_kafka = {.port = &ports[i],
							       .prepare = stuck_event_prepare,
							       .target = target->name,
							       .batch_max = FACTS_A_BATCH,
							       .deliver = stuck_event_deliver,
							       .ctx = target->event,
							       .metrics = &notices->of_kafka};
		const struct notice_sender_options of_webhook = {.port = &ports[i],
								 .target = target->name,
								 .batch_max = CALLS_A_BATCH,
								 .deliver = webhook_deliver,
								 .ctx = target->webhook,
								 .metrics = &notices->of_webhooks};

		if (notice_sender_start(target->event ? &of_kafka : &of_webhook, &target->sender, err) < 0)
			return -1;
	}
	return 0;
}

bool notices_problem(struct notices *notices, char *ret_text, size_t text_len)
{
	for (size_t i = 0; i < notices->count; i++)
		if (notices->targets[i].sender && notice_sender_problem(notices->targets[i].sender, ret_text, text_len))
			return true;
	return false;
}
