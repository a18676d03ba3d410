/* plant/mujoco_camera.c: pictures of a MuJoCo model, drawn in memory by OSMesa: no window, no
 * display server, no graphics card. */
#include "plant/mujoco.h"

#ifdef GENBA_WITH_OSMESA

#include <GL/osmesa.h>
#include <stdlib.h>
#include <string.h>

#define SCENE_GEOMS 500
#define SAMPLES 4 /* of a pixel: smooth edges */

struct gb_mujoco_camera {
    OSMesaContext context;
    unsigned char *window; /* OSMesa wants one; MuJoCo draws beside it */
    int width, height;     /* the largest picture there is room for */
    mjvScene scene;
    mjvOption option;
    mjrContext render;
};

typedef struct picture {
    gb_mujoco_camera *camera;
    int id, width, height;
    unsigned char *rgb;
} picture;

void gb_mujoco_camera_free(gb_mujoco_camera *camera)
{
    if (!camera)
        return;
    if (camera->context && OSMesaMakeCurrent(camera->context, camera->window, GL_UNSIGNED_BYTE,
                                             camera->width, camera->height)) {
        mjr_freeContext(&camera->render);
        OSMesaMakeCurrent(NULL, NULL, GL_UNSIGNED_BYTE, 0, 0);
    }
    mjv_freeScene(&camera->scene);
    if (camera->context)
        OSMesaDestroyContext(camera->context);
    free(camera->window);
    free(camera);
}

static void make_render(gb_mujoco *machine, void *context)
{
    gb_mujoco_camera *camera = context;
    mjv_makeScene(machine->model, &camera->scene, SCENE_GEOMS);
    machine->model->vis.global.offwidth = camera->width;
    machine->model->vis.global.offheight = camera->height;
    machine->model->vis.quality.offsamples = SAMPLES;
    mjr_makeContext(machine->model, &camera->render, mjFONTSCALE_50);
    mjr_setBuffer(mjFB_OFFSCREEN, &camera->render);
}

static gb_status make_camera(gb_mujoco *machine, int width, int height)
{
    gb_mujoco_camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return gb_fail(GB_ERR_MEMORY, "plant %s: no memory for a camera", machine->plant);
    camera->width = width;
    camera->height = height;
    mjv_defaultScene(&camera->scene);
    mjv_defaultOption(&camera->option);
    mjr_defaultContext(&camera->render);
    camera->window = malloc((size_t)width * (size_t)height * 4);
    camera->context = OSMesaCreateContextExt(OSMESA_RGBA, 24, 8, 8, NULL);
    gb_status status = GB_OK;
    if (!camera->window || !camera->context ||
        !OSMesaMakeCurrent(camera->context, camera->window, GL_UNSIGNED_BYTE, width, height))
        status = gb_fail(GB_ERR_MEMORY, "plant %s: OSMesa makes no context of %d x %d pixels",
                         machine->plant, width, height);
    else
        status = gb_mujoco_guard(machine, make_render, camera);
    if (status != GB_OK) {
        gb_mujoco_camera_free(camera);
        return status;
    }
    machine->camera = camera;
    return GB_OK;
}

static void draw(gb_mujoco *machine, void *context)
{
    picture *what = context;
    gb_mujoco_camera *camera = what->camera;
    mjvCamera view;
    mjv_defaultCamera(&view);
    view.type = mjCAMERA_FIXED;
    view.fixedcamid = what->id;
    mjrRect area = {0, 0, what->width, what->height};
    mjv_updateScene(machine->model, machine->data, &camera->option, NULL, &view, mjCAT_ALL,
                    &camera->scene);
    mjr_render(area, &camera->scene, &camera->render);
    mjr_readPixels(what->rgb, NULL, area, &camera->render);
}

/* OpenGL counts rows from the bottom. */
static void flip(unsigned char *rgb, int width, int height)
{
    size_t row = (size_t)width * 3;
    unsigned char keep[1024 * 3];
    for (int y = 0; y < height / 2; y++) {
        unsigned char *a = rgb + (size_t)y * row, *b = rgb + (size_t)(height - 1 - y) * row;
        memcpy(keep, a, row);
        memcpy(a, b, row);
        memcpy(b, keep, row);
    }
}

gb_status
gb_mujoco_render(gb_mujoco *machine, const char *name, int width, int height, unsigned char *rgb)
{
    if (width < 1 || width > 1024 || height < 1 || height > 1024)
        return gb_fail(GB_ERR_ARGUMENT, "plant %s: a picture of %d x %d pixels, expected 1 to 1024",
                       machine->plant, width, height);
    int id = 0;
    GB_TRY(gb_mujoco_find(machine, mjOBJ_CAMERA, name, &id));
    gb_mujoco_camera *camera = machine->camera;
    if (camera && (camera->width < width || camera->height < height)) {
        gb_mujoco_camera_free(camera);
        camera = machine->camera = NULL;
    }
    if (!camera)
        GB_TRY(make_camera(machine, width, height));
    camera = machine->camera;
    /* Another plant, or another thread with this one, may have drawn in between. */
    if (!OSMesaMakeCurrent(camera->context, camera->window, GL_UNSIGNED_BYTE, camera->width,
                           camera->height))
        return gb_fail(GB_ERR_NUMERIC, "plant %s: OSMesa does not take its context up again",
                       machine->plant);
    picture what = {camera, id, width, height, rgb};
    gb_status status = gb_mujoco_guard(machine, draw, &what);
    OSMesaMakeCurrent(NULL, NULL, GL_UNSIGNED_BYTE, 0, 0);
    GB_TRY(status);
    flip(rgb, width, height);
    return GB_OK;
}

#else

void gb_mujoco_camera_free(gb_mujoco_camera *camera)
{
    (void)camera;
}

gb_status
gb_mujoco_render(gb_mujoco *machine, const char *name, int width, int height, unsigned char *rgb)
{
    (void)name;
    (void)width;
    (void)height;
    (void)rgb;
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "plant %s: this build draws no pictures: install libosmesa6-dev and build again",
                   machine->plant);
}

#endif
