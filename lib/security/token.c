/* token.c - see token.h. */
#include "lib/security/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char TOKEN_PREFIX[] = "amends_"; /* so that scanners for leaked secrets can know one */
static const char HASH_PREFIX[] = "sha256:";

static void format_hex(const uint8_t *bytes, char *out)
{
	for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void token_new(char ret_text[TOKEN_TEXT_LEN + 1])
{
	uint8_t random[TOKEN_HASH_BYTES];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		abort(); /* so few bytes are never interrupted */
	memcpy(ret_text, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
	format_hex(random, ret_text + strlen(TOKEN_PREFIX));
}

void token_hash(const char *text, size_t len, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	if (EVP_Digest(text, len, ret_hash, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* only without memory, or without SHA-256 in OpenSSL */
}

void token_hash_format(const uint8_t hash[TOKEN_HASH_BYTES], char ret_text[TOKEN_HASH_TEXT_LEN + 1])
{
	memcpy(ret_text, HASH_PREFIX, strlen(HASH_PREFIX));
	format_hex(hash, ret_text + strlen(HASH_PREFIX));
}

bool token_hash_parse(const char *text, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	size_t prefix_len = strlen(HASH_PREFIX);

	if (strncmp(text, HASH_PREFIX, prefix_len) != 0 || strlen(text) != TOKEN_HASH_TEXT_LEN ||
	    strspn(text + prefix_len, "0123456789abcdef") != (size_t)TOKEN_HASH_BYTES * 2)
		return false;
	for (size_t i = 0; i < TOKEN_HASH_BYTES; i++) {
		char pair[3] = {text[prefix_len + 2 * i], text[prefix_len + 2 * i + 1], 0};

		ret_hash[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return true;
}

bool token_hash_equal(const uint8_t a[TOKEN_HASH_BYTES], const uint8_t b[TOKEN_HASH_BYTES])
{
	return CRYPTO_memcmp(a, b, TOKEN_HASH_BYTES) == 0;
}
