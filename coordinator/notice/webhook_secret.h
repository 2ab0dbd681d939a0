/*
 * webhook_secret.h - what webhooks are signed with, so that who receives them knows whom they are from.
 *
 * Source: the Standard Webhooks specification: HMAC-SHA256 over `<id>.<timestamp>.<body>`, in base64 behind "v1,"; secrets
 *         are written "whsec_" and base64.
 */
#ifndef COORDINATOR_NOTICE_WEBHOOK_SECRET_H
#define COORDINATOR_NOTICE_WEBHOOK_SECRET_H

#include <stdint.h>

#include "lib/base/bytes.h"

enum {
	WEBHOOK_SECRETS_MAX = 4, /* while one takes the place of another, both sign */
	WEBHOOK_KEY_BYTES_MIN = 24,
	WEBHOOK_KEY_BYTES_MAX = 64,
};

struct webhook_secrets {
	uint8_t keys[WEBHOOK_SECRETS_MAX][WEBHOOK_KEY_BYTES_MAX];
	size_t key_bytes[WEBHOOK_SECRETS_MAX];
	size_t count;
};

/* One to four, separated by blanks or line ends. ERR_INVALID says what to do, and nothing of the secret. */
NODISCARD int webhook_secrets_parse(const char *text, struct webhook_secrets *ret_secrets, struct error *err);

/* Appends the value of webhook-signature: one signature for each secret. */
void webhook_secrets_sign(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s, struct bytes body,
			  struct buffer *out);

#endif
