/* webhook.c - see webhook.h. */
#include "coordinator/notice/webhook.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/http/http_client.h"

enum { TIMEOUT_MS = 5000, ANSWER_BYTES_MAX = 64 * 1024 };

struct webhook {
	struct webhook_options options;
	char *shown; /* the URL may be a secret: some services have a token in its path */
	struct http_client *client;
	struct buffer body;
	struct buffer signature;
	struct buffer answer;
};

int webhook_url_check(const char *url, struct error *err)
{
	const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
			   : strncmp(url, "http://", 7) == 0 ? url + 7
							     : NULL;

	if (!host || strcspn(host, "/?#") == 0 || strpbrk(url, " \t\r\n"))
		return error_set(err, ERR_INVALID,
				 "must be a URL such as https://alerts.example.com/amends: http or https, a host, no "
				 "blanks");
	return 0;
}

struct webhook *webhook_new(const struct webhook_options *options)
{
	struct webhook *webhook = xcalloc(1, sizeof(*webhook));
	struct buffer shown = {0};

	webhook->options = *options;
	webhook->client = http_client_new();
	buffer_append_format(&shown, "webhook %s", options->name);
	webhook->shown = xstrdup(buffer_text(&shown));
	buffer_release(&shown);
	return webhook;
}

void webhook_free(struct webhook *webhook)
{
	if (!webhook)
		return;
	http_client_free(webhook->client);
	buffer_release(&webhook->body);
	buffer_release(&webhook->signature);
	buffer_release(&webhook->answer);
	free(webhook->shown);
	free(webhook);
}

/* ---- the body ---- */
static void append_action(struct buffer *out, const char *comma, const char *what, const char *format, ...)
	PRINTF_LIKE(4, 5);

static void append_action(struct buffer *out, const char *comma, const char *what, const char *format, ...)
{
	struct buffer command = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&command, format, args);
	va_end(args);
	buffer_append_text(out, comma);
	buffer_append_text(out, "{");
	buffer_append_json_member(out, "what", what);
	buffer_append_json_member(out, "command", buffer_text(&command));
	buffer_append_text(out, "}");
	buffer_release(&command);
}

static void append_actions(struct buffer *out, const char *saga_id, const char *step_id)
{
	buffer_append_text(out, ",\"actions\":[");
	append_action(out, "", "see what happened, and what can be done now", "sagactl explain %s", saga_id);
	append_action(out, ",", "the cause is mended: try it again", "sagactl retry %s --reason '…'", saga_id);
	append_action(out, ",", "somebody did by hand what the step should have: go on without it",
		      "sagactl skip %s %s --reason '…'", saga_id, step_id);
	append_action(out, ",", "somebody has seen to all of it: end it",
		      "sagactl resolve %s --as completed|compensated|failed --reason '…'", saga_id);
	buffer_append_text(out, "]");
}

void webhook_append_body(const struct notice *notice, const char *runbook, struct buffer *out)
{
	char saga_id[UUID_TEXT_LEN + 1];
	char time[CLOCK_TEXT_LEN + 1];

	uuid_format(notice->saga_id, saga_id);
	clock_format(notice->time_us, time);
	buffer_append_text(out, "{");
	buffer_append_json_member(out, "type", "saga.stuck");
	buffer_append_json_member(out, "timestamp", time);
	buffer_append_text(out, ",\"data\":{");
	buffer_append_json_member(out, "saga_id", saga_id);
	buffer_append_json_member(out, "definition", notice->definition);
	buffer_append_format(out, ",\"definition_version\":%d", notice->definition_version);
	buffer_append_json_member(out, "key", notice->key);
	buffer_append_json_member(out, "step_id", notice->step_id);
	buffer_append_json_member(out, "phase", step_phase_name(notice->phase));
	buffer_append_json_member(out, "reason", notice->reason);
	buffer_append_json_member(out, "detail", notice->detail);
	buffer_append_json_member(out, "since", time);
	if (runbook)
		buffer_append_json_member(out, "runbook", runbook);
	append_actions(out, saga_id, notice->step_id);
	buffer_append_text(out, "}}");
}

/* ---- a request ---- */
static int call(struct webhook *webhook, const char *id, struct error *err)
{
	const int64_t now_s = clock_real_us() / 1000000;
	char timestamp[24];
	int status = 0;

	(void)snprintf(timestamp, sizeof(timestamp), "%lld", (long long)now_s);
	buffer_clear(&webhook->signature);
	webhook_secrets_sign(webhook->options.secrets, id, now_s, buffer_bytes(&webhook->body), &webhook->signature);
	const struct text_pair headers[] = {
		{"webhook-id", id},
		{"webhook-timestamp", timestamp},
		{"webhook-signature", buffer_text(&webhook->signature)},
		{"User-Agent", "amends/" AMENDS_VERSION},
	};
	if (http_client_call(webhook->client,
			     &(struct http_call){.method = "POST",
						 .url = webhook->options.url,
						 .url_shown = webhook->shown,
						 .content_type = "application/json",
						 .headers = headers,
						 .header_count = ARRAY_LEN(headers),
						 .is_outward = true,
						 .body = buffer_bytes(&webhook->body),
						 .timeout_ms = TIMEOUT_MS,
						 .answer_bytes_max = ANSWER_BYTES_MAX},
			     &status, &webhook->answer, err) < 0)
		return -1;
	if (status >= 200 && status <= 299)
		return 0;
	/* Its server fails, or has too much to do; anything else is about this request, or its address. */
	return error_set(err, status >= 500 || status == 429 || status == 408 ? ERR_UNAVAILABLE : ERR_INVALID,
			 "%s answered with status %d", webhook->shown, status);
}

static int deliver_one(struct webhook *webhook, const struct notice *notice, struct arena *arena, struct error *err)
{
	const struct plan *plan = catalog_by_id(webhook->options.catalog, notice->definition_id);
	char saga_id[UUID_TEXT_LEN + 1];

	uuid_format(notice->saga_id, saga_id);
	buffer_clear(&webhook->body);
	webhook_append_body(notice, plan ? plan->runbook : NULL, &webhook->body);
	return call(webhook, arena_format(arena, "%s/%lld", saga_id, (long long)notice->sequence), err);
}

/* What was tried and failed waits longer than the rest, so that one that is always refused does not hold up the others. */
int webhook_deliver(void *ctx, struct notice_delivery *delivery, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < delivery->count && !atomic_load(delivery->is_stopping); i++) {
		struct error why;

		if (deliver_one(ctx, &delivery->notices[i], delivery->arena, &why) == 0) {
			delivery->outcomes[i] = NOTICE_SENT;
			continue;
		}
		delivery->outcomes[i] = NOTICE_FAILED;
		if (result == 0 || why.is_retriable)
			*err = why;
		result = -1;
		if (why.is_retriable)
			break;
	}
	return result;
}
