/* See peer_dnnl.h. Failures of oneDNN leave the peer out of the results. */
#include "peer_dnnl.h"

#include <stdlib.h>

#ifdef GENBA_HAVE_DNNL
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>

struct peer_matmul {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t source, weights, target;
};

/* Debian's oneDNN runs on OpenMP; whichever runtime it brought along is asked. */
void peer_set_threads(int threads)
{
    union {
        void *symbol;
        void (*set)(int);
    } omp = {.symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads")};
    if (omp.symbol != NULL)
        omp.set(threads);
}

static bool reorder_weights(peer_matmul *p, const dnnl_memory_desc_t *plain, void *b)
{
    const dnnl_memory_desc_t *wanted =
        dnnl_primitive_desc_query_md(p->description, dnnl_query_weights_md, 0);
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    bool done = false;
    if (dnnl_memory_create(&from, plain, p->engine, b) == dnnl_success &&
        dnnl_memory_create(&p->weights, wanted, p->engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
        dnnl_reorder_primitive_desc_create(&description, plain, p->engine, wanted, p->engine,
                                           NULL) == dnnl_success &&
        dnnl_primitive_create(&primitive, description) == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, p->weights}};
        done = dnnl_primitive_execute(primitive, p->stream, 2, args) == dnnl_success &&
               dnnl_stream_wait(p->stream) == dnnl_success;
    }
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(description);
    dnnl_memory_destroy(from);
    return done;
}

static bool
create(peer_matmul *p, int64_t m, int64_t n, int64_t k, gb_dtype type, void *a, void *b, void *c)
{
    dnnl_data_type_t data = type == GB_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_dims_t a_dims = {m, k}, b_dims = {k, n}, c_dims = {m, n};
    dnnl_memory_desc_t a_md, b_md, b_any, c_md;
    dnnl_matmul_desc_t matmul;
    return dnnl_engine_create(&p->engine, dnnl_cpu, 0) == dnnl_success &&
           dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&a_md, 2, a_dims, data, dnnl_ab) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&b_md, 2, b_dims, data, dnnl_ab) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&b_any, 2, b_dims, data, dnnl_format_tag_any) ==
               dnnl_success &&
           dnnl_memory_desc_init_by_tag(&c_md, 2, c_dims, data, dnnl_ab) == dnnl_success &&
           dnnl_matmul_desc_init(&matmul, &a_md, &b_any, NULL, &c_md) == dnnl_success &&
           dnnl_primitive_desc_create(&p->description, &matmul, NULL, p->engine, NULL) ==
               dnnl_success &&
           dnnl_primitive_create(&p->primitive, p->description) == dnnl_success &&
           dnnl_memory_create(&p->source, &a_md, p->engine, a) == dnnl_success &&
           dnnl_memory_create(&p->target, &c_md, p->engine, c) == dnnl_success &&
           reorder_weights(p, &b_md, b);
}

peer_matmul *
peer_matmul_create(int64_t m, int64_t n, int64_t k, gb_dtype type, void *a, void *b, void *c)
{
    peer_matmul *p = calloc(1, sizeof *p);
    if (p != NULL && !create(p, m, n, k, type, a, b, c)) {
        peer_matmul_destroy(p);
        p = NULL;
    }
    return p;
}

void peer_matmul_run(peer_matmul *p)
{
    dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, p->source}, {DNNL_ARG_WEIGHTS, p->weights}, {DNNL_ARG_DST, p->target}};
    (void)dnnl_primitive_execute(p->primitive, p->stream, 3, args);
    (void)dnnl_stream_wait(p->stream);
}

void peer_matmul_destroy(peer_matmul *p)
{
    if (p == NULL)
        return;
    dnnl_memory_destroy(p->source);
    dnnl_memory_destroy(p->weights);
    dnnl_memory_destroy(p->target);
    dnnl_primitive_destroy(p->primitive);
    dnnl_primitive_desc_destroy(p->description);
    dnnl_stream_destroy(p->stream);
    dnnl_engine_destroy(p->engine);
    free(p);
}

#else

peer_matmul *
peer_matmul_create(int64_t m, int64_t n, int64_t k, gb_dtype type, void *a, void *b, void *c)
{
    (void)m, (void)n, (void)k, (void)type, (void)a, (void)b, (void)c;
    return NULL;
}

void peer_matmul_run(peer_matmul *peer)
{
    (void)peer;
}

void peer_matmul_destroy(peer_matmul *peer)
{
    (void)peer;
}

void peer_set_threads(int threads)
{
    (void)threads;
}
#endif
