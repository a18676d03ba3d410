/* control/link_dds_topics.c: names of topics and quality of service, as ROS 2 has them. */
#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_topics.h"

#include "control/link_dds_log.h"

#include <stdio.h>
#include <string.h>

enum {
    TOPIC_BYTES = 256
};

gb_status gb_dds_failed(const gb_link_map *map, const char *what, dds_return_t code)
{
    return gb_fail(code == DDS_RETCODE_OUT_OF_RESOURCES ? GB_ERR_MEMORY : GB_ERR_IO,
                   "link dds: %s: %s%s: %s%s%s", map->path, what,
                   code == DDS_RETCODE_ERROR ? " (is there a network? CYCLONEDDS_URI says which)"
                                             : "",
                   dds_strretcode(-code), *gb_dds_log_error() ? ": " : "", gb_dds_log_error());
}

static gb_status no_memory(const gb_link_map *map)
{
    return gb_fail(GB_ERR_MEMORY, "link dds: %s: no memory", map->path);
}

/* ROS 2 puts rt/ before topics: /joint_states is rt/joint_states. */
static gb_status
topic_name(const gb_link_map *map, const gb_link_stream *link, char out[TOPIC_BYTES])
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/";
    const char *name = link->topic, *body = *name == '/' ? name + 1 : name;
    size_t length = strlen(body);
    if (length == 0 || length + 4 > TOPIC_BYTES || body[strspn(body, legal)] ||
        body[length - 1] == '/' || strstr(body, "//"))
        return gb_fail(
            GB_ERR_SCHEMA,
            "%s:%d: topic \"%.200s\" is no ROS 2 topic; expected names of letters, digits "
            "and _ with / between them: /arm/joint_states",
            map->path, link->line, name);
    snprintf(out, TOPIC_BYTES, "rt/%s", body);
    return GB_OK;
}

/* The topic of stream i of a direction: one it shares with others, or a new one. */
static gb_status find_topic(const gb_link_map *map,
                            gb_dds_direction *d,
                            int i,
                            const gb_link_stream *link,
                            gb_dds_topic **out)
{
    char name[TOPIC_BYTES];
    const gb_dds_type *type = d->streams[i].type;
    GB_TRY(topic_name(map, link, name));
    gb_dds_topic *t = d->topics;
    while (t < d->topics + d->topic_count && strcmp(t->name, name) != 0)
        t++;
    if (t == d->topics + d->topic_count) {
        d->topic_count++;
        *t = (gb_dds_topic){
            .name = gb_arena_text(map->arena, name),
            .type = type,
            .streams = gb_arena_alloc(map->arena, (size_t)d->stream_count * sizeof *t->streams)};
        if (!t->name || !t->streams)
            return no_memory(map);
    }
    if (t->type != type)
        return gb_fail(GB_ERR_SCHEMA, "%s:%d: topic %s is both a %s and a %s; expected one type",
                       map->path, link->line, link->topic, t->type->name, type->name);
    *out = t;
    return GB_OK;
}

gb_status gb_dds_direction_bind(const gb_link_map *map,
                                const gb_plant_stream *streams,
                                const gb_link_stream *links,
                                int stream_count,
                                gb_dds_direction *out)
{
    gb_dds_direction d = {.stream_count = stream_count};
    d.streams = gb_arena_alloc(map->arena, (size_t)stream_count * sizeof *d.streams);
    d.topics = gb_arena_alloc(map->arena, (size_t)stream_count * sizeof *d.topics);
    if (!d.streams || !d.topics)
        return no_memory(map);
    for (int i = 0; i < stream_count; i++) {
        gb_dds_topic *t = NULL;
        GB_TRY(gb_dds_bind(map, &streams[i], &links[i], d.size, &d.streams[i]));
        GB_TRY(find_topic(map, &d, i, &links[i], &t));
        t->streams[t->stream_count++] = i;
        d.size += streams[i].size;
    }
    *out = d;
    return GB_OK;
}

static gb_status
open_topic(const gb_link_map *map, dds_entity_t participant, gb_dds_topic *t, bool write)
{
    dds_entity_t topic = dds_create_topic(participant, t->type->descriptor, t->name, NULL, NULL);
    if (topic < 0)
        return gb_dds_failed(map, t->name, topic);
    dds_qos_t *qos = dds_create_qos();
    if (!qos)
        return no_memory(map);
    dds_qset_durability(qos, DDS_DURABILITY_VOLATILE);
    if (write) { /* reliable fits readers of either kind; only the newest is worth sending again */
        dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_MSECS(100));
        dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 1);
        t->entity = dds_create_writer(participant, topic, qos, NULL);
    } else { /* best effort fits writers of either kind, and nothing new waits for something lost */
        dds_qset_reliability(qos, DDS_RELIABILITY_BEST_EFFORT, 0);
        dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, GB_DDS_HISTORY);
        t->entity = dds_create_reader(participant, topic, qos, NULL);
    }
    dds_delete_qos(qos);
    return t->entity < 0 ? gb_dds_failed(map, t->name, t->entity) : GB_OK;
}

gb_status gb_dds_open_reader(const gb_link_map *map, dds_entity_t participant, gb_dds_topic *t)
{
    return open_topic(map, participant, t, false);
}

gb_status gb_dds_open_writer(const gb_link_map *map,
                             dds_entity_t participant,
                             const gb_dds_direction *d,
                             gb_dds_topic *t)
{
    t->message = gb_arena_alloc(map->arena, t->type->bytes);
    if (!t->message)
        return no_memory(map);
    for (int i = 0; i < t->stream_count; i++)
        GB_TRY(gb_dds_prepare(map, &d->streams[t->streams[i]], map->info.tick_ns, map->arena,
                              t->message));
    return open_topic(map, participant, t, true);
}
#else
typedef int gb_dds_topics_off; /* a file may not be empty */
#endif
