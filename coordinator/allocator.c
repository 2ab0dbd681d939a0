/*
 * allocator.c - how jemalloc keeps the coordinator's memory; part of it where that library is (cmake/Dependencies.cmake).
 *
 * Why:   a saga costs hundreds of small blocks of librdkafka and gRPC, made on one thread and freed on another. Two arenas
 *        instead of four for each CPU, since each keeps what its threads have freed; threads have caches in front of them.
 *        What has been free for a second goes back to the kernel.
 * Note:  the environment's MALLOC_CONF counts more.
 */
#include <jemalloc/jemalloc.h>

const char *malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";
