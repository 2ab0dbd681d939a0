/* access.c - see access.h. The file that is in force is replaced as a whole under the lock. */
#include "lib/security/access.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct access {
	char *path; /* NULL: no file */
	pthread_rwlock_t lock;
	struct access_file *file; /* guarded by lock */
};

int access_new(const char *path, struct access **ret_access, struct error *err)
{
	_cleanup_(access_freep)
	struct access *access = xcalloc(1, sizeof(*access));

	pthread_rwlock_init(&access->lock, NULL);
	if (path) {
		access->path = xstrdup(path);
		if (access_reload(access, err) < 0)
			return -1;
	}
	*ret_access = take_ptr(access);
	return 0;
}

int access_reload(struct access *access, struct error *err)
{
	struct access_file *file = NULL;
	struct access_file *old;
	struct problems problems;
	int result = 0;

	if (!access->path)
		return 0;
	problems_init(&problems);
	if (access_file_read(access->path, &file, &problems) < 0)
		result = problems_to_error(&problems, ERR_INVALID, err);
	problems_release(&problems);
	if (result < 0)
		return -1;
	pthread_rwlock_wrlock(&access->lock);
	old = access->file;
	access->file = file;
	pthread_rwlock_unlock(&access->lock);
	access_file_free(old);
	return 0;
}

void access_free(struct access *access)
{
	if (!access)
		return;
	access_file_free(access->file);
	pthread_rwlock_destroy(&access->lock);
	free(access->path);
	free(access);
}

void access_begin(struct access *access, struct identity *ret_identity)
{
	*ret_identity = (struct identity){.name = "anonymous", .roles = access->path ? 0 : ROLE_BIT(ROLE_ADMIN)};
}

static void become(struct identity *identity, const struct access_entry *entry)
{
	(void)snprintf(identity->name, sizeof(identity->name), "%s", entry->name);
	identity->roles = entry->roles;
	identity->is_known = true;
}

/* Every entry is compared, so that the time tells nothing about where a token nearly fits. */
bool access_by_token(struct access *access, struct bytes token, struct identity *identity)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	bool is_found = false;

	if (!access->path)
		return true;
	if (token.len == 0 || token.len > TOKEN_BYTES_MAX)
		return false;
	token_hash((const char *)token.data, token.len, hash);
	pthread_rwlock_rdlock(&access->lock);
	for (size_t i = 0; i < access->file->count; i++) {
		const struct access_entry *entry = &access->file->entries[i];

		if (!entry->certificate && token_hash_equal(entry->hash, hash)) {
			become(identity, entry);
			is_found = true;
		}
	}
	pthread_rwlock_unlock(&access->lock);
	return is_found;
}

bool access_by_certificate(struct access *access, struct bytes alternative_name, struct identity *identity)
{
	bool is_found = false;

	if (!access->path)
		return true;
	pthread_rwlock_rdlock(&access->lock);
	for (size_t i = 0; i < access->file->count && !is_found; i++) {
		const struct access_entry *entry = &access->file->entries[i];

		is_found = entry->certificate && bytes_equal_text(alternative_name, entry->certificate);
		if (is_found)
			become(identity, entry);
	}
	pthread_rwlock_unlock(&access->lock);
	return is_found;
}

/* The password of base64 `name:password`; the name counts for nothing, it is the token's. */
static bool by_password(struct access *access, struct bytes coded, struct identity *identity)
{
	uint8_t plain[TOKEN_BYTES_MAX];
	const uint8_t *colon;
	size_t padding = 0;
	int len;

	if (coded.len == 0 || coded.len > sizeof(plain) || coded.len % 4 != 0)
		return false;
	while (padding < 2 && coded.data[coded.len - 1 - padding] == '=')
		padding++;
	len = EVP_DecodeBlock(plain, coded.data, (int)coded.len);
	if (len < 0)
		return false;
	colon = memchr(plain, ':', (size_t)len - padding);
	if (!colon)
		return false;
	colon++;
	return access_by_token(access, (struct bytes){colon, (size_t)(plain + len - padding - colon)}, identity);
}

bool access_by_header(struct access *access, struct bytes header, struct identity *identity)
{
	static const char bearer[] = "Bearer ";
	static const char basic[] = "Basic ";
	const char *text = (const char *)header.data;

	if (!access->path)
		return true;
	if (header.len > strlen(bearer) && strncasecmp(text, bearer, strlen(bearer)) == 0)
		return access_by_token(
			access, (struct bytes){header.data + strlen(bearer), header.len - strlen(bearer)}, identity);
	if (header.len > strlen(basic) && strncasecmp(text, basic, strlen(basic)) == 0)
		return by_password(access, (struct bytes){header.data + strlen(basic), header.len - strlen(basic)},
				   identity);
	return false;
}

int access_check(const struct identity *identity, enum role needed, struct error *err)
{
	if (role_is_enough(identity->roles, needed))
		return 0;
	if (!identity->is_known)
		return error_set(
			err, ERR_UNAUTHENTICATED,
			"a credential is needed: a client certificate or a bearer token of an identity with the role "
			"%s",
			role_name(needed));
	return error_set(err, ERR_DENIED, "'%s' may not do that: the role %s is needed", identity->name,
			 role_name(needed));
}
