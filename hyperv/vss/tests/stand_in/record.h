// What was called, what is to be answered, and what is still alive.

#pragma once

#include <windows.h>

#include <oleauto.h>
#include <vss.h>

#include <vswriter.h>

#include <vsbackup.h>

#include <string>

// Takes down a line of the record.
void record(const std::string& line);
// Takes down a call with its arguments; returns the failure that it was told to answer, or S_OK.
HRESULT called(const char* method, const std::string& arguments = "");
// Returns what was told under a name, or `otherwise`.
int told(const std::string& name, int otherwise);
// Counts objects and memory of ours that somebody has to give back.
void born(const char* what);
void died(const char* what);

std::string text(REFIID id);
std::string text(LPCWSTR wide);
// A GUID that is easy to read: {00000000-0000-0000-0000-0000000000NN}.
GUID id(int number);

// IUnknown of an object that is counted; `Ids` are its interfaces.
template <class Base>
struct Object : Base {
    explicit Object(const char* name) : name(name) { born(name); }
    virtual ~Object() { died(name); }
    virtual bool is(REFIID iid) { return iid == __uuidof(IUnknown); }

    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void** object) override {
        *object = nullptr;
        if (!is(iid)) return E_NOINTERFACE;
        *object = static_cast<Base*>(this);
        AddRef();
        return S_OK;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return InterlockedIncrement(&references); }
    ULONG STDMETHODCALLTYPE Release() override {
        ULONG left = InterlockedDecrement(&references);
        if (left == 0) delete this;
        return left;
    }

    const char* name;
    LONG references = 1;
};
