/* webhook_secret.c - see webhook_secret.h. */
#include "coordinator/notice/webhook_secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "schema-registry/model/base64.h"

static const char PREFIX[] = "whsec_";
static const char BLANKS[] = " \t\r\n";

/* False: it is none. */
static bool add_secret(struct webhook_secrets *secrets, const char *text, size_t len)
{
	const size_t prefix_len = strlen(PREFIX);
	struct buffer key = {0};
	bool is_good = len > prefix_len && memcmp(text, PREFIX, prefix_len) == 0 &&
		       base64_decode((struct bytes){(const uint8_t *)text + prefix_len, len - prefix_len}, &key) &&
		       key.len >= WEBHOOK_KEY_BYTES_MIN && key.len <= WEBHOOK_KEY_BYTES_MAX;

	if (is_good) {
		memcpy(secrets->keys[secrets->count], key.data, key.len);
		secrets->key_bytes[secrets->count++] = key.len;
	}
	buffer_release(&key);
	return is_good;
}

int webhook_secrets_parse(const char *text, struct webhook_secrets *ret_secrets, struct error *err)
{
	struct webhook_secrets secrets = {0};

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		const size_t len = strcspn(text, BLANKS);

		if (secrets.count == WEBHOOK_SECRETS_MAX)
			return error_set(err, ERR_INVALID, "has more than %d secrets", WEBHOOK_SECRETS_MAX);
		if (!add_secret(&secrets, text, len))
			return error_set(err, ERR_INVALID,
					 "must be 'whsec_' and %d to %d bytes in base64, such as what `echo "
					 "whsec_$(openssl rand -base64 32)` makes",
					 WEBHOOK_KEY_BYTES_MIN, WEBHOOK_KEY_BYTES_MAX);
		text += len;
	}
	if (secrets.count == 0)
		return error_set(err, ERR_INVALID, "is empty");
	*ret_secrets = secrets;
	return 0;
}

void webhook_secrets_sign(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s, struct bytes body,
			  struct buffer *out)
{
	struct buffer content = {0};

	buffer_append_format(&content, "%s.%lld.", id, (long long)timestamp_s);
	buffer_append(&content, body.data, body.len);
	for (size_t i = 0; i < secrets->count; i++) {
		uint8_t digest[EVP_MAX_MD_SIZE];
		unsigned digest_len = 0;

		if (!HMAC(EVP_sha256(), secrets->keys[i], (int)secrets->key_bytes[i], content.data, content.len, digest,
			  &digest_len))
			abort(); /* only out of memory */
		buffer_append_text(out, i ? " v1," : "v1,");
		base64_append(out, (struct bytes){digest, digest_len});
	}
	buffer_release(&content);
}
