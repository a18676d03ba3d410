/* Arenas: a chain of blocks that only ever hands out, and forgets everything at once.
 * Not a general allocator: nothing can be given back on its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "genba/base.h"

/* Poisoned is what was not handed out: between the pieces, and what a reset took back. For checks
 * under the address sanitizer (test/control/mutate_envelope). */
#ifdef GB_ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes) __asan_poison_memory_region(memory, bytes)
#define UNPOISON(memory, bytes) __asan_unpoison_memory_region(memory, bytes)
#else
#define POISON(memory, bytes) ((void)(memory), (void)(bytes))
#define UNPOISON(memory, bytes) ((void)(memory), (void)(bytes))
#endif

enum {
    ALIGNMENT = 64,
    FIRST_BLOCK = 16 << 10,
    LARGEST_BLOCK = 1 << 20
};

typedef struct arena_block {
    struct arena_block *next;
    unsigned char *memory; /* [size], 64-byte aligned */
    size_t size;
    size_t used;
    size_t dirty; /* bytes from here on were never handed out and are still zero */
} arena_block;

/* Blocks after `current` are empty: kept from before a reset. */
struct gb_arena {
    size_t limit_bytes; /* SIZE_MAX: none */
    size_t held_bytes;  /* sum of the blocks' sizes */
    size_t used_bytes;
    arena_block *first;
    arena_block *current;
};

gb_status gb_arena_create(size_t limit_bytes, gb_arena **out)
{
    gb_arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        return gb_fail(GB_ERR_MEMORY, "cannot get %zu bytes for an arena", sizeof *arena);
    arena->limit_bytes = limit_bytes == 0 ? SIZE_MAX : limit_bytes;
    *out = arena;
    return GB_OK;
}

static void free_blocks(gb_arena *arena, arena_block *block)
{
    while (block != NULL) {
        arena_block *next = block->next;
        arena->held_bytes -= block->size;
        UNPOISON(block->memory, block->size);
        gb_aligned_free(block->memory);
        free(block);
        block = next;
    }
}

void gb_arena_destroy(gb_arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena, arena->first);
    free(arena);
}

/* The next kept block that is large enough becomes the one after `current`. */
static arena_block *find_kept(gb_arena *arena, size_t bytes)
{
    arena_block **link = arena->current != NULL ? &arena->current->next : &arena->first;
    arena_block **place = link;
    while (*link != NULL && (*link)->size < bytes)
        link = &(*link)->next;
    arena_block *block = *link;
    if (block != NULL) {
        *link = block->next;
        block->next = *place;
        *place = block;
    }
    return block;
}

static arena_block *add_block(gb_arena *arena, size_t bytes)
{
    arena_block **place = arena->current != NULL ? &arena->current->next : &arena->first;
    if (bytes > arena->limit_bytes - arena->held_bytes) {
        free_blocks(arena, *place); /* too small for this request and in its way */
        *place = NULL;
    }
    size_t rest = arena->limit_bytes - arena->held_bytes;
    if (bytes > rest) {
        (void)gb_fail(GB_ERR_MEMORY,
                      "an arena limited to %zu bytes holds %zu and cannot give %zu more; raise the "
                      "limit or use a smaller input",
                      arena->limit_bytes, arena->held_bytes, bytes);
        return NULL;
    }
    size_t size = arena->held_bytes < FIRST_BLOCK     ? FIRST_BLOCK
                  : arena->held_bytes < LARGEST_BLOCK ? arena->held_bytes
                                                      : LARGEST_BLOCK;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size = size > rest ? rest : size;
    size = size < bytes ? bytes : size;
    arena_block *block = calloc(1, sizeof *block);
    if (block == NULL) {
        (void)gb_fail(GB_ERR_MEMORY, "cannot get %zu bytes for an arena", sizeof *block);
        return NULL;
    }
    block->memory = gb_aligned_alloc(size);
    if (block->memory == NULL) {
        free(block);
        return NULL;
    }
    POISON(block->memory, size);
    block->size = size;
    block->next = *place;
    *place = block;
    arena->held_bytes += size;
    return block;
}

void *gb_arena_alloc(gb_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) {
        (void)gb_fail(GB_ERR_MEMORY, "%zu bytes are more than any machine has: a size is wrong",
                      bytes);
        return NULL;
    }
    size_t padded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    arena_block *block = arena->current;
    /* The padding after the last piece of a block may be missing: limits are kept to the byte. */
    if (block == NULL || block->used > block->size || bytes > block->size - block->used) {
        block = find_kept(arena, bytes);
        if (block == NULL)
            block = add_block(arena, bytes);
        if (block == NULL)
            return NULL;
        arena->current = block;
    }
    unsigned char *memory = block->memory + block->used;
    UNPOISON(memory, bytes);
    if (block->used < block->dirty) {
        size_t stale = block->dirty - block->used;
        memset(memory, 0, stale < bytes ? stale : bytes);
    }
    block->used += padded;
    if (block->used > block->size)
        block->used = block->size;
    if (block->used > block->dirty)
        block->dirty = block->used;
    arena->used_bytes += bytes;
    return memory;
}

char *gb_arena_text(gb_arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = gb_arena_alloc(arena, bytes);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

char *gb_arena_format(gb_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        (void)gb_fail(GB_ERR_ARGUMENT, "a text cannot be formatted as \"%s\"", format);
        return NULL;
    }
    char *text = gb_arena_alloc(arena, (size_t)length + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

size_t gb_arena_used_bytes(const gb_arena *arena)
{
    return arena->used_bytes;
}

void gb_arena_reset(gb_arena *arena)
{
    for (arena_block *block = arena->first; block != NULL; block = block->next) {
        POISON(block->memory, block->size);
        block->used = 0;
    }
    arena->current = NULL;
    arena->used_bytes = 0;
}
