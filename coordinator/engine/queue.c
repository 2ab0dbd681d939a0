/* queue.c - see queue.h. */
#include "coordinator/engine/queue.h"

#include <assert.h>

#include "lib/base/condition.h"

void queue_init(struct queue *queue, size_t max)
{
	*queue = (struct queue){.max = max};
	(void)pthread_mutex_init(&queue->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&queue->changed);
	queue->starts_end = &queue->load.starts;
	queue->gets_end = &queue->load.gets;
	queue->requests_end = &queue->load.requests;
	queue->deliveries_end = &queue->load.deliveries;
}

void queue_release(struct queue *queue)
{
	assert(!queue->load.starts && !queue->load.gets && !queue->load.requests && !queue->load.deliveries);
	(void)pthread_cond_destroy(&queue->changed);
	(void)pthread_mutex_destroy(&queue->mu);
}

/* With `mu` held, as the next. */
static size_t count_asked(const struct queue *queue)
{
	return queue->load.start_count + queue->load.get_count + queue->load.request_count;
}

static enum queue_answer admit(const struct queue *queue, size_t count)
{
	if (queue->is_closed)
		return QUEUE_CLOSED;
	return count_asked(queue) + count <= queue->max ? QUEUE_TAKEN : QUEUE_FULL;
}

static size_t count_all(const struct queue *queue)
{
	return count_asked(queue) + queue->load.delivery_count;
}

enum queue_answer queue_push_starts(struct queue *queue, struct start_item *items, size_t count)
{
	struct start_item **end = &items;
	enum queue_answer answer;

	assert(count > 0);
	while (*end)
		end = &(*end)->next;
	(void)pthread_mutex_lock(&queue->mu);
	answer = admit(queue, count);
	if (answer == QUEUE_TAKEN) {
		*queue->starts_end = items;
		queue->starts_end = end;
		queue->load.start_count += count;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_get(struct queue *queue, struct get_item *item)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = admit(queue, 1);
	if (answer == QUEUE_TAKEN) {
		*queue->gets_end = item;
		queue->gets_end = &item->next;
		queue->load.get_count++;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_request(struct queue *queue, struct request_link *item)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = admit(queue, 1);
	if (answer == QUEUE_TAKEN) {
		*queue->requests_end = item;
		queue->requests_end = &item->next;
		queue->load.request_count++;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_delivery(struct queue *queue, struct delivery_item *item)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = queue->is_over ? QUEUE_CLOSED : QUEUE_TAKEN;
	if (answer == QUEUE_TAKEN) {
		*queue->deliveries_end = item;
		queue->deliveries_end = &item->next;
		queue->load.delivery_count++;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

/* With `mu` held: takes the first starts, leaves the others. */
static void take_starts(struct queue *queue, size_t starts_max, struct queue_load *load)
{
	struct start_item **cut = &queue->load.starts;

	for (load->start_count = 0; *cut && load->start_count < starts_max; load->start_count++)
		cut = &(*cut)->next;
	if (load->start_count == 0)
		return;
	load->starts = queue->load.starts;
	queue->load.starts = *cut;
	queue->load.start_count -= load->start_count;
	*cut = NULL;
	if (!queue->load.starts)
		queue->starts_end = &queue->load.starts;
}

/* With `mu` held. */
static struct queue_load take_load(struct queue *queue, size_t starts_max)
{
	struct queue_load load = {0};

	take_starts(queue, starts_max, &load);
	load.gets = queue->load.gets;
	load.get_count = queue->load.get_count;
	load.requests = queue->load.requests;
	load.request_count = queue->load.request_count;
	load.deliveries = queue->load.deliveries;
	load.delivery_count = queue->load.delivery_count;
	queue->load.gets = NULL;
	queue->load.get_count = 0;
	queue->gets_end = &queue->load.gets;
	queue->load.requests = NULL;
	queue->load.request_count = 0;
	queue->requests_end = &queue->load.requests;
	queue->load.deliveries = NULL;
	queue->load.delivery_count = 0;
	queue->deliveries_end = &queue->load.deliveries;
	return load;
}

void queue_take(struct queue *queue, size_t starts_max, struct queue_load *ret_load)
{
	(void)pthread_mutex_lock(&queue->mu);
	*ret_load = take_load(queue, starts_max);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_end(struct queue *queue, struct queue_load *ret_load)
{
	(void)pthread_mutex_lock(&queue->mu);
	queue->is_closed = true;
	queue->is_over = true;
	*ret_load = take_load(queue, SIZE_MAX);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_wait(struct queue *queue, int64_t until_us)
{
	(void)pthread_mutex_lock(&queue->mu);
	if (count_all(queue) == 0) /* one wake-up too many does no harm: the caller looks again */
		(void)condition_wait_until(&queue->changed, &queue->mu, until_us);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_nudge(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->mu);
	(void)pthread_cond_signal(&queue->changed);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_close(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->mu);
	queue->is_closed = true;
	(void)pthread_cond_signal(&queue->changed);
	(void)pthread_mutex_unlock(&queue->mu);
}

size_t queue_length(struct queue *queue)
{
	size_t count;

	(void)pthread_mutex_lock(&queue->mu);
	count = count_all(queue);
	(void)pthread_mutex_unlock(&queue->mu);
	return count;
}
