/* genba doctor: what this machine and this build offer, and what a missing package would add. */
#include "cli.h"

#include "genba/eval.h"

#include <sys/stat.h>

static bool as_json;

typedef struct optional_package {
    const char *file, *package, *adds;
} optional_package;

static const optional_package packages[] = {
    {"/usr/include/oneapi/dnnl/dnnl.h", "libdnnl-dev", "the peer of genba-bench gemm"},
    {"/usr/lib/python3/dist-packages/torch/__init__.py", "python3-torch",
     "the peer of genba-bench train and language"},
    {"/usr/bin/clang-format", "clang-format", "make format"},
    {"/usr/bin/clang", "clang", "the fuzz preset"},
};

/* What was built in: each reads or records something, and comes with a package. */
typedef struct feature {
    const char *name, *package, *does;
    bool built;
} feature;

static const feature features[] = {
#ifdef GENBA_WITH_HDF5
    {"HDF5", "libhdf5-dev", "reads .hdf5 and .h5", true},
#else
    {"HDF5", "libhdf5-dev", "reads .hdf5 and .h5", false},
#endif
#ifdef GENBA_WITH_SNDFILE
    {"sndfile", "libsndfile1-dev", "reads WAV and FLAC", true},
#else
    {"sndfile", "libsndfile1-dev", "reads WAV and FLAC", false},
#endif
#ifdef GENBA_WITH_LIBAV
    {"libav", "libavformat-dev", "reads and writes video", true},
#else
    {"libav", "libavformat-dev", "reads and writes video", false},
#endif
#ifdef GENBA_WITH_SNAPPY
    {"snappy", "libsnappy-dev", "pages of most Parquet files", true},
#else
    {"snappy", "libsnappy-dev", "pages of most Parquet files", false},
#endif
#ifdef GENBA_WITH_MOSQUITTO
    {"mosquitto", "libmosquitto-dev", "records MQTT", true},
#else
    {"mosquitto", "libmosquitto-dev", "records MQTT", false},
#endif
#ifdef GENBA_WITH_OSMESA
    {"OSMesa", "libosmesa6-dev", "cameras of simulated plants", true},
#else
    {"OSMesa", "libosmesa6-dev", "cameras of simulated plants", false},
#endif
#ifdef GENBA_WITH_CYCLONEDDS
    {"CycloneDDS", "cyclonedds-dev", "links to ROS 2 machines", true},
#else
    {"CycloneDDS", "cyclonedds-dev", "links to ROS 2 machines", false},
#endif
#ifdef GENBA_WITH_MICROHTTPD
    {"microhttpd", "libmicrohttpd-dev", "genba run --view", true},
#else
    {"microhttpd", "libmicrohttpd-dev", "genba run --view", false},
#endif
};

static const char *yes(bool value)
{
    return as_json ? (value ? "true" : "false") : (value ? "yes" : "no");
}

static void print_cpu(const gb_cpu *cpu)
{
    double memory_gib = (double)gb_memory_available_bytes() / 1073741824.0;
    if (as_json) {
        printf("{\"version\": \"%s\", \"cpu\": \"%s\", \"cores\": %d, \"avx2\": %s, "
               "\"avx512\": %s, \"avx512_bf16\": %s, \"amx\": %s, \"best\": \"%s\", "
               "\"used\": \"%s\", \"note\": \"%s\", \"memory_available_gib\": %.2f",
               gb_version(), cpu->model, cpu->cores, yes(cpu->avx2), yes(cpu->avx512),
               yes(cpu->avx512_bf16), yes(cpu->amx), gb_isa_name(cpu->best), gb_isa_name(cpu->used),
               cpu->note, memory_gib);
        return;
    }
    printf("genba     %s\n", gb_version());
    printf("CPU       %s, %d core%s\n", cpu->model, cpu->cores, cpu->cores == 1 ? "" : "s");
    printf("kernels   %s is used%s%s%s\n", gb_isa_name(cpu->used), *cpu->note ? " (" : "",
           cpu->note, *cpu->note ? ")" : "");
    printf("          AVX2 %s, AVX-512 %s, AVX-512 bf16 %s, AMX %s\n", yes(cpu->avx2),
           yes(cpu->avx512), yes(cpu->avx512_bf16), yes(cpu->amx));
    printf("          GENBA_ISA=ref|avx2|avx512|amx asks for a lower one\n");
    printf("memory    %.1f GiB free\n", memory_gib);
}

static void print_data(void)
{
    static const char *const files[] = {"pusht/pusht_lowdim.csv", "ett/ETTh1.csv", "ett/ETTh2.csv",
                                        "ett/ETTm1.csv",          "skab",          "cmapss"};
    if (as_json)
        printf(", \"data\": {");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4096] = "";
        bool there = gb_data_find(NULL, files[i], path, sizeof path) == GB_OK;
        if (as_json)
            printf("%s\"%s\": %s", i ? ", " : "", files[i], yes(there));
        else
            printf("%-9s %-24s %s\n", i ? "" : "data", files[i], there ? path : "not here");
    }
    if (as_json)
        printf("}");
    else
        printf("          set GENBA_DATA to the folder that holds them\n");
}

static void print_features(void)
{
    if (as_json)
        printf(", \"features\": {");
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        const feature *f = &features[i];
        if (as_json)
            printf("%s\"%s\": %s", i ? ", " : "", f->name, yes(f->built));
        else
            printf("%-9s %-24s %s%s%s\n", i ? "" : "features", f->name,
                   f->built ? "built in: " : "not built in; install ", f->built ? "" : f->package,
                   f->built ? f->does : " and build again");
    }
    if (as_json)
        printf("}");
}

static void print_packages(void)
{
    if (as_json)
        printf(", \"packages\": {");
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
        struct stat info;
        bool there = stat(packages[i].file, &info) == 0;
        if (as_json)
            printf("%s\"%s\": %s", i ? ", " : "", packages[i].package, yes(there));
        else
            printf("%-9s %-24s %s%s\n", i ? "" : "packages", packages[i].package,
                   there ? "there: " : "missing, would add ", packages[i].adds);
    }
    if (as_json)
        printf("}");
}

static int run_doctor(int argc, char **argv)
{
    as_json = false;
    const option_spec options[] = {{"json", OPTION_FLAG, &as_json, 0, 0}};
    int code = options_parse(&command_doctor, argc, argv, options, 1, NULL, 0, 0);
    if (code >= 0)
        return code;
    print_cpu(gb_cpu_get());
    print_data();
    print_features();
    print_packages();
    if (as_json)
        printf("}\n");
    return EXIT_DONE;
}

const cli_command command_doctor = {
    "doctor", "what this machine and this build offer, and what is missing",
    "usage: genba doctor [--json]\n\n"
    "Says which CPU features are there and used, how much memory is free, which data sets are\n"
    "found, and what a missing package would add.\n\n"
    "example: GENBA_ISA=ref genba doctor\n",
    run_doctor};
