/* certificates.c - see certificates.h. OpenSSL only looks at them here; gRPC and libmicrohttpd parse them once more. */
#include "lib/security/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PEM_BYTES_MAX = 1024 * 1024 };

struct certificates {
	struct certificate_paths paths; /* copies */
	pthread_mutex_t mu;
	struct certificate_texts texts; /* guarded by mu */
	uint64_t generation;            /* guarded by mu */
};

void certificate_texts_release(struct certificate_texts *texts)
{
	free(texts->certificate);
	if (texts->key)
		explicit_bzero(texts->key, strlen(texts->key));
	free(texts->key);
	free(texts->client_ca);
	*texts = (struct certificate_texts){0};
}

/* ---- reading ---- */

static char *read_stream(FILE *stream, const char *place, const char *path, struct problems *problems)
{
	char *text = xmalloc(PEM_BYTES_MAX + 1);
	size_t len = fread(text, 1, PEM_BYTES_MAX + 1, stream);

	if (ferror(stream) || len == 0 || len > PEM_BYTES_MAX || memchr(text, 0, len)) {
		problems_add(problems, place, "%s is empty, too large or no text", path);
		free(text);
		return NULL;
	}
	text[len] = 0;
	return text;
}

/* NULL: the problem was added. */
static char *read_pem(const char *place, const char *path, bool is_private, struct problems *problems)
{
	FILE *stream = fopen(path, "re");
	struct stat status;
	char *text = NULL;

	if (!stream) {
		problems_add(problems, place, "cannot read %s: %m", path);
		return NULL;
	}
	if (fstat(fileno(stream), &status) < 0 || !S_ISREG(status.st_mode))
		problems_add(problems, place, "%s is no regular file", path);
	else if (is_private && (status.st_mode & S_IRWXO))
		problems_add(problems, place, "%s is open to every user (mode %04o): chmod 640 or 600", path,
			     (unsigned)status.st_mode & 07777);
	else
		text = read_stream(stream, place, path, problems);
	(void)fclose(stream); /* only read from */
	return text;
}

/* ---- looking ---- */

static BIO *bio_of(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);

	if (!bio)
		abort(); /* only out of memory */
	return bio;
}

static X509 *first_certificate(const char *text)
{
	BIO *bio = bio_of(text);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return certificate;
}

/* A key with a passphrase would make OpenSSL ask at the terminal. */
static int no_passphrase(char *buf, int size, int is_writing, void *ctx)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	(void)ctx;
	return -1;
}

static EVP_PKEY *read_key(const char *text)
{
	BIO *bio = bio_of(text);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return key;
}

static void check_pair(const struct certificate_texts *texts, const struct certificate_paths *paths,
		       struct problems *problems)
{
	X509 *certificate = first_certificate(texts->certificate);
	EVP_PKEY *key = read_key(texts->key);

	if (!certificate)
		problems_add(problems, "tls-cert", "%s holds no certificate in PEM", paths->certificate);
	else if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		problems_add(problems, "tls-cert", "the certificate in %s has expired", paths->certificate);
	if (!key)
		problems_add(problems, "tls-key", "%s holds no private key in PEM without a passphrase", paths->key);
	if (certificate && key && X509_check_private_key(certificate, key) != 1)
		problems_add(problems, "tls-key", "the key in %s does not belong to the certificate in %s", paths->key,
			     paths->certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void check_authority(const char *text, const char *path, struct problems *problems)
{
	X509 *certificate = first_certificate(text);

	if (!certificate)
		problems_add(problems, "tls-client-ca", "%s holds no certificate in PEM", path);
	X509_free(certificate);
}

/* All or nothing, whatever was wrong. */
static void load(const struct certificate_paths *paths, struct certificate_texts *ret_texts, struct problems *problems)
{
	size_t before = problems->count;
	struct certificate_texts texts = {0};

	if (!paths->certificate != !paths->key) {
		problems_add(problems, paths->key ? "tls-key" : "tls-cert",
			     "tls-cert and tls-key belong together: %s is missing",
			     paths->key ? "tls-cert" : "tls-key");
	} else if (paths->certificate) {
		texts.certificate = read_pem("tls-cert", paths->certificate, false, problems);
		texts.key = read_pem("tls-key", paths->key, true, problems);
	} else if (paths->client_ca) {
		problems_add(problems, "tls-client-ca", "says nothing without tls-cert and tls-key");
	}
	if (paths->client_ca)
		texts.client_ca = read_pem("tls-client-ca", paths->client_ca, false, problems);
	if (texts.certificate && texts.key)
		check_pair(&texts, paths, problems);
	if (texts.client_ca)
		check_authority(texts.client_ca, paths->client_ca, problems);
	if (problems->count == before)
		*ret_texts = texts;
	else
		certificate_texts_release(&texts);
}

void certificates_check(const struct certificate_paths *paths, struct problems *problems)
{
	struct certificate_texts texts = {0};

	load(paths, &texts, problems);
	certificate_texts_release(&texts);
}

/* ---- in force ---- */

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

int certificates_new(const struct certificate_paths *paths, struct certificates **ret_certificates, struct error *err)
{
	_cleanup_(certificates_freep)
	struct certificates *certificates = xcalloc(1, sizeof(*certificates));

	pthread_mutex_init(&certificates->mu, NULL);
	certificates->paths = (struct certificate_paths){copy_or_null(paths->certificate), copy_or_null(paths->key),
							 copy_or_null(paths->client_ca)};
	if (certificates_reload(certificates, err) < 0)
		return -1;
	*ret_certificates = take_ptr(certificates);
	return 0;
}

int certificates_reload(struct certificates *certificates, struct error *err)
{
	struct certificate_texts texts = {0};
	struct certificate_texts old;
	struct problems problems;
	int result = 0;

	problems_init(&problems);
	load(&certificates->paths, &texts, &problems);
	if (problems.count > 0)
		result = problems_to_error(&problems, ERR_INVALID, err);
	problems_release(&problems);
	if (result < 0)
		return -1;
	pthread_mutex_lock(&certificates->mu);
	old = certificates->texts;
	certificates->texts = texts;
	certificates->generation++;
	pthread_mutex_unlock(&certificates->mu);
	certificate_texts_release(&old);
	return 0;
}

void certificates_free(struct certificates *certificates)
{
	if (!certificates)
		return;
	certificate_texts_release(&certificates->texts);
	free((char *)certificates->paths.certificate);
	free((char *)certificates->paths.key);
	free((char *)certificates->paths.client_ca);
	pthread_mutex_destroy(&certificates->mu);
	free(certificates);
}

bool certificates_have_client_ca(const struct certificates *certificates)
{
	return certificates->paths.client_ca != NULL;
}

uint64_t certificates_generation(struct certificates *certificates)
{
	uint64_t generation;

	pthread_mutex_lock(&certificates->mu);
	generation = certificates->generation;
	pthread_mutex_unlock(&certificates->mu);
	return generation;
}

uint64_t certificates_copy(struct certificates *certificates, struct certificate_texts *ret_texts)
{
	uint64_t generation;

	pthread_mutex_lock(&certificates->mu);
	ret_texts->certificate = copy_or_null(certificates->texts.certificate);
	ret_texts->key = copy_or_null(certificates->texts.key);
	ret_texts->client_ca = copy_or_null(certificates->texts.client_ca);
	generation = certificates->generation;
	pthread_mutex_unlock(&certificates->mu);
	return generation;
}
