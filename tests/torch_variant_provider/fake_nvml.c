/* A stand-in for libnvidia-ml.so.1, driven by environment variables:
 *   FAKE_GPUS       "9.0,handle15,cc999,7.5": capabilities; handleN or ccN: that call fails with code N;
 *                   segv, hang: that is what it does
 *   FAKE_CUDA       number of nvmlSystemGetCudaDriverVersion_v2, for example 12080
 *   FAKE_CUDA_CODE  its return code; FAKE_CUDA_V1_CODE that of the older call
 *   FAKE_DRIVER     text of nvmlSystemGetDriverVersion; FAKE_DRIVER_CODE its return code
 *   FAKE_INIT_CODE, FAKE_COUNT_CODE, FAKE_SHUTDOWN_CODE  return codes
 *   FAKE_SLEEP_MS   how long nvmlInit takes
 *   FAKE_ABORT      "init", "load" or "shutdown": where to abort
 *   FAKE_FORK       seconds for which a process started in nvmlInit lives on, with all that is open
 *   FAKE_PRINT      text to print on stdout in nvmlInit, without a flush
 * It has no nvmlErrorString: errors must be named without it. Built with -DOLD it lacks nvmlInitWithFlags, and with it the v2 version call. */
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

static int says(const char *name, const char *value) {
    const char *text = getenv(name);
    return text && !strcmp(text, value);
}

__attribute__((constructor)) static void loaded(void) {
    if (says("FAKE_ABORT", "load")) abort();
}

static int init(void) {
    if (getenv("FAKE_PRINT")) printf("%s", getenv("FAKE_PRINT"));
    if (says("FAKE_ABORT", "init")) abort();
    if (number("FAKE_FORK", 0) && fork() == 0) {
        sleep((unsigned)number("FAKE_FORK", 0));
        _exit(0);
    }
    if (number("FAKE_SLEEP_MS", 0)) usleep(1000u * (unsigned)number("FAKE_SLEEP_MS", 0));
    return number("FAKE_INIT_CODE", 0);
}

API int nvmlInit_v2(void) { return init(); }
#ifndef OLD
API int nvmlInitWithFlags(unsigned flags) { (void)flags; return init(); }
API int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    *version = number("FAKE_CUDA", 12080);
    return number("FAKE_CUDA_CODE", 0);
}
#endif
API int nvmlSystemGetCudaDriverVersion(int *version) {
    *version = number("FAKE_CUDA", 12080);
    return number("FAKE_CUDA_V1_CODE", 0);
}
API int nvmlShutdown(void) {
    if (says("FAKE_ABORT", "shutdown")) abort();
    return number("FAKE_SHUTDOWN_CODE", 0);
}
API int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    const char *driver = getenv("FAKE_DRIVER");
    snprintf(text, length, "%s", driver ? driver : "570.133.20");
    return number("FAKE_DRIVER_CODE", 0);
}

/* Copies the n-th of the GPUs; 0 when there is none. */
static int gpu(unsigned index, char *text, size_t length) {
    const char *at = getenv("FAKE_GPUS");
    if (!at || !*at) return 0;
    for (; index; index--) {
        at = strchr(at, ',');
        if (!at) return 0;
        at++;
    }
    snprintf(text, length, "%.*s", (int)strcspn(at, ","), at);
    return 1;
}

API int nvmlDeviceGetCount_v2(unsigned *count) {
    char text[32];
    *count = 0;
    while (gpu(*count, text, sizeof text)) (*count)++;
    return number("FAKE_COUNT_CODE", 0);
}
API int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    char text[32];
    if (!gpu(index, text, sizeof text)) return 2;
    *device = (void *)(size_t)(index + 1);
    return strncmp(text, "handle", 6) ? 0 : atoi(text + 6);
}
API int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    char text[32];
    if (!gpu((unsigned)(size_t)device - 1, text, sizeof text)) return 2;
    if (!strncmp(text, "cc", 2)) return atoi(text + 2);
    if (!strcmp(text, "segv")) raise(SIGSEGV);
    if (!strcmp(text, "hang")) sleep(60);
    return sscanf(text, "%d.%d", major, minor) == 2 ? 0 : 999;
}
