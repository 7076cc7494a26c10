/* A stand-in for libcuda.so.1, driven by environment variables:
 *   FAKE_UMD          number of cuDriverGetVersion, for example 12040; FAKE_UMD_CODE its return code
 *   FAKE_CUINIT_CODE  return code of cuInit; FAKE_CUINIT_ABORT: abort there; FAKE_CUINIT_SLEEP_MS: how long it takes
 *   FAKE_CUDA_GPUS    "9.0,code3,7.5": capabilities; codeN: that GPU fails with code N; segv: that is what it does
 *   FAKE_CUCOUNT_CODE return code of cuDeviceGetCount
 * As the real one, cuInit finds no device when CUDA_VISIBLE_DEVICES is empty. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

static int gpu(int index, char *text, size_t length) {
    const char *at = getenv("FAKE_CUDA_GPUS");
    if (!at || !*at) return 0;
    for (; index; index--) {
        at = strchr(at, ',');
        if (!at) return 0;
        at++;
    }
    snprintf(text, length, "%.*s", (int)strcspn(at, ","), at);
    return 1;
}

API int cuDriverGetVersion(int *version) {
    *version = number("FAKE_UMD", 12040);
    return number("FAKE_UMD_CODE", 0);
}
API int cuInit(unsigned flags) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    char text[32];
    (void)flags;
    printf("chatter of libcuda\n");
    if (getenv("FAKE_CUINIT_ABORT")) abort();
    if (number("FAKE_CUINIT_SLEEP_MS", 0)) usleep(1000u * (unsigned)number("FAKE_CUINIT_SLEEP_MS", 0));
    if ((visible && (!*visible || *visible == '-')) || !gpu(0, text, sizeof text)) return 100;
    return number("FAKE_CUINIT_CODE", 0);
}
API int cuDeviceGetCount(int *count) {
    char text[32];
    for (*count = 0; gpu(*count, text, sizeof text); (*count)++) {}
    return number("FAKE_CUCOUNT_CODE", 0);
}
API int cuDeviceGet(int *device, int index) {
    *device = index;
    return 0;
}
API int cuDeviceGetAttribute(int *value, int attribute, int device) {
    char text[32];
    int major, minor;
    if (!gpu(device, text, sizeof text)) return 101;
    if (!strcmp(text, "segv")) raise(SIGSEGV);
    if (!strncmp(text, "code", 4)) return atoi(text + 4);
    if (sscanf(text, "%d.%d", &major, &minor) != 2) return 1;
    *value = attribute == 75 ? major : minor;
    return 0;
}
