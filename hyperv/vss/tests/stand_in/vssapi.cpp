// A stand-in for vssapi.dll and resutils.dll: the interfaces of mingw-w64's vsbackup.h, vswriter.h
// and vss.h, which were not made from the metadata that our bindings were made from. It records
// each call with its arguments, and answers what it was told.
//
// What mingw-w64's headers lack: the second base of IVssWriterComponentsExt (IUnknown), which is
// declared here as Microsoft's header does.

#include "refusing.h"

#include <vector>

namespace {
const GUID HYPERV = {0x66841cd4, 0x6ded, 0x4f4b, {0x8f, 0x17, 0xfd, 0x23, 0xf8, 0xdd, 0xc3, 0xde}};

template <class T>
bool any_of(REFIID iid) {
    return iid == __uuidof(T);
}

HRESULT put(BSTR* place, LPCWSTR value) {
    *place = SysAllocString(value);
    return S_OK;
}

VSS_PWSZ task_text(LPCWSTR value) {
    size_t size = (wcslen(value) + 1) * sizeof(wchar_t);
    auto copy = static_cast<VSS_PWSZ>(CoTaskMemAlloc(size));
    memcpy(copy, value, size);
    return copy;
}

struct Async : Object<IVssAsync> {
    explicit Async(const char* method) : Object("Async"), method(method) {
        pending = told(std::string("pending ") + method, 0);
    }
    HRESULT STDMETHODCALLTYPE Cancel() override {
        HRESULT result = called("Cancel", method);
        is_cancelled = true;
        return result;
    }
    HRESULT STDMETHODCALLTYPE Wait(DWORD milliseconds) override {
        // How often is a matter of time; the record has the first.
        if (!was_waited) called("Wait", method + " " + std::to_string(milliseconds));
        was_waited = true;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE QueryStatus(HRESULT* result, INT* reserved) override {
        HRESULT code = told("QueryStatus", S_OK);
        if (reserved != nullptr) code = E_INVALIDARG;
        if (is_cancelled) {
            *result = VSS_S_ASYNC_CANCELLED;
        } else if (pending != 0) {
            if (pending > 0) pending--;
            *result = VSS_S_ASYNC_PENDING;
        } else {
            *result = told("end " + method, VSS_S_ASYNC_FINISHED);
        }
        return code;
    }

    std::string method;
    int pending;
    bool is_cancelled = false;
    bool was_waited = false;
};

HRESULT begin(const char* method, IVssAsync** place) {
    HRESULT result = called(method);
    if (SUCCEEDED(result)) *place = new Async(method);
    return result;
}

struct Filedesc : Object<RefusingFiledesc> {
    Filedesc(LPCWSTR path, LPCWSTR spec, bool recursive)
        : Object("Filedesc"), path(path), spec(spec), recursive(recursive) {}
    HRESULT STDMETHODCALLTYPE GetPath(BSTR* place) override { return put(place, path); }
    HRESULT STDMETHODCALLTYPE GetFilespec(BSTR* place) override { return put(place, spec); }
    HRESULT STDMETHODCALLTYPE GetRecursive(boolean* place) override {
        *place = recursive;
        return S_OK;
    }
    LPCWSTR path, spec;
    bool recursive;
};

struct WMComponent : Object<RefusingWMComponent> {
    explicit WMComponent(UINT number) : Object("WMComponent"), number(number) {}
    HRESULT STDMETHODCALLTYPE GetComponentInfo(PVSSCOMPONENTINFO* place) override {
        HRESULT result = called("GetComponentInfo", std::to_string(number));
        if (FAILED(result)) return result;
        auto info = new VSS_COMPONENTINFO();
        born("ComponentInfo");
        // All that is not used has a value that would be seen in the wrong place.
        info->cbIcon = 7;
        info->pbIcon = reinterpret_cast<BYTE*>(1);
        info->bRestoreMetadata = 1;
        info->bNotifyOnBackupComplete = 0;
        info->bSelectableForRestore = 1;
        info->dwComponentFlags = 1;
        info->cDependencies = 9;
        if (number == 0) {
            info->type = VSS_CT_FILEGROUP;
            info->bstrComponentName = SysAllocString(L"11111111-2222-3333-4444-555555555555");
            info->bstrCaption = SysAllocString(L"Online\\F\u00fc\u00dfe");
            info->bSelectable = 1;
            info->cFileCount = 2;
        } else if (number == 1) {
            info->type = VSS_CT_DATABASE;
            info->bstrLogicalPath = SysAllocString(L"logical\\path");
            info->bstrComponentName = SysAllocString(L"db");
            info->bSelectable = 0;
            info->cDatabases = 1;
            info->cLogFiles = 1;
        } else {
            info->type = VSS_CT_UNDEFINED;
            info->cFileCount = 1;
        }
        *place = info;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE FreeComponentInfo(PVSSCOMPONENTINFO given) override {
        auto info = const_cast<VSS_COMPONENTINFO*>(given);
        SysFreeString(info->bstrLogicalPath);
        SysFreeString(info->bstrComponentName);
        SysFreeString(info->bstrCaption);
        delete info;
        died("ComponentInfo");
        return called("FreeComponentInfo", std::to_string(number));
    }
    HRESULT STDMETHODCALLTYPE GetFile(UINT file, IVssWMFiledesc** place) override {
        HRESULT result = called("GetFile", std::to_string(file));
        if (FAILED(result)) return result;
        *place = file == 0 ? new Filedesc(L"C:\\VMs\\", L"a.vhdx", false)
                           : new Filedesc(L"C:\\VMs\\Snapshots", L"*", true);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetDatabaseFile(UINT file, IVssWMFiledesc** place) override {
        called("GetDatabaseFile", std::to_string(file));
        *place = new Filedesc(L"D:\\db", L"x.mdf", false);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetDatabaseLogFile(UINT file, IVssWMFiledesc** place) override {
        called("GetDatabaseLogFile", std::to_string(file));
        *place = new Filedesc(L"L:\\log", L"x.ldf", false);
        return S_OK;
    }
    UINT number;
};

struct Metadata : Object<RefusingMetadata> {
    explicit Metadata(UINT writer) : Object("Metadata"), writer(writer) {}
    HRESULT STDMETHODCALLTYPE GetIdentity(VSS_ID* instance, VSS_ID* writer_id, BSTR* name,
                                          VSS_USAGE_TYPE* usage, VSS_SOURCE_TYPE* source) override {
        *instance = id(0x10 + writer);
        *writer_id = writer == 0 ? HYPERV : id(0x21);
        *usage = VSS_UT_USERDATA;
        *source = VSS_ST_OTHER;
        return put(name, writer == 0 ? L"Microsoft Hyper-V VSS Writer" : L"System Writer");
    }
    HRESULT STDMETHODCALLTYPE GetFileCounts(UINT* included, UINT* excluded,
                                            UINT* components) override {
        *included = 5;
        *excluded = 6;
        *components = writer == 0 ? told("components", 3) : 0;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetComponent(UINT component, IVssWMComponent** place) override {
        called("GetComponent", std::to_string(component));
        *place = new WMComponent(component);
        return S_OK;
    }
    UINT writer;
};

struct Component : Object<RefusingComponent> {
    explicit Component(UINT number) : Object("Component"), number(number) {}
    bool is(REFIID iid) override {
        return any_of<IUnknown>(iid) || any_of<IVssComponentEx>(iid) || any_of<IVssComponentEx2>(iid);
    }
    HRESULT STDMETHODCALLTYPE GetComponentName(BSTR* place) override {
        return put(place, number == 0 ? L"vm-that-works" : L"vm-that-fails");
    }
    HRESULT STDMETHODCALLTYPE GetFailure(HRESULT* code, HRESULT* application, BSTR* message,
                                         DWORD* reserved) override {
        called("GetFailure", std::to_string(number));
        *code = number == 0 ? S_OK : VSS_E_WRITERERROR_RETRYABLE;
        *application = number == 0 ? S_OK : E_FAIL;
        *reserved = 0;
        return put(message, L"why");
    }
    UINT number;
};

// As Microsoft's header has it: the first base has no IUnknown, the second is one.
struct ComponentsExt : IVssWriterComponentsExt, IUnknown {
    explicit ComponentsExt(UINT writer) : writer(writer) { born("WriterComponents"); }
    virtual ~ComponentsExt() { died("WriterComponents"); }
    HRESULT STDMETHODCALLTYPE GetComponentCount(UINT* count) override {
        *count = 2;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetWriterInfo(VSS_ID* instance, VSS_ID* writer_id) override {
        *instance = id(0x10 + writer);
        *writer_id = writer == 0 ? HYPERV : id(0x21);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetComponent(UINT number, IVssComponent** place) override {
        *place = new Component(number);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void**) override { return E_NOINTERFACE; }
    ULONG STDMETHODCALLTYPE AddRef() override { return ++references; }
    ULONG STDMETHODCALLTYPE Release() override {
        record("ReleaseWriterComponents " + std::to_string(writer));
        ULONG left = --references;
        if (left == 0) delete this;
        return left;
    }
    UINT writer;
    ULONG references = 1;
};

struct Providers : Object<RefusingEnum> {
    Providers() : Object("Enum") {}
    HRESULT STDMETHODCALLTYPE Next(ULONG count, VSS_OBJECT_PROP* place, ULONG* fetched) override {
        called("Next", std::to_string(count));
        if (at == 2) {
            *fetched = 0;
            return S_FALSE;
        }
        place->Type = VSS_OBJECT_PROVIDER;
        place->Obj.Prov.m_ProviderId = id(0x50 + at);
        place->Obj.Prov.m_ProviderVersionId = id(0x60);
        place->Obj.Prov.m_ClassId = id(0x61);
        place->Obj.Prov.m_pwszProviderName = task_text(at == 0 ? L"Microsoft" : L"Array");
        place->Obj.Prov.m_pwszProviderVersion = task_text(at == 0 ? L"1.0.0.7" : L"2");
        place->Obj.Prov.m_eProviderType = at == 0 ? VSS_PROV_SYSTEM : VSS_PROV_HARDWARE;
        *fetched = 1;
        at++;
        return S_OK;
    }
    int at = 0;
};

struct Backup : Object<RefusingBackup> {
    Backup() : Object("Backup") {}
    bool is(REFIID iid) override {
        if (any_of<IUnknown>(iid) || any_of<IVssBackupComponents>(iid)) return true;
        if (any_of<IVssBackupComponentsEx3>(iid)) return told("no Ex3", 0) == 0;
        if (any_of<IVssBackupComponentsEx4>(iid)) return told("no Ex4", 0) == 0;
        return false;
    }

    HRESULT STDMETHODCALLTYPE InitializeForBackup(BSTR document) override {
        return called("InitializeForBackup", text(document));
    }
    HRESULT STDMETHODCALLTYPE InitializeForRestore(BSTR document) override {
        return called("InitializeForRestore", text(document));
    }
    HRESULT STDMETHODCALLTYPE SetSelectedForRestore(VSS_ID writer, VSS_COMPONENT_TYPE type,
                                                    LPCWSTR path, LPCWSTR name,
                                                    boolean selected) override {
        return called("SetSelectedForRestore", text(writer) + " " + std::to_string(type) + " " +
                                                   text(path) + " " + text(name) + " " +
                                                   std::to_string(selected));
    }
    HRESULT STDMETHODCALLTYPE AddNewTarget(VSS_ID writer, VSS_COMPONENT_TYPE type, LPCWSTR path,
                                           LPCWSTR name, LPCWSTR folder, LPCWSTR spec,
                                           boolean recursive, LPCWSTR target) override {
        return called("AddNewTarget", text(writer) + " " + std::to_string(type) + " " + text(path) +
                                          " " + text(name) + " " + text(folder) + " " + text(spec) +
                                          " " + std::to_string(recursive) + " " + text(target));
    }
    HRESULT STDMETHODCALLTYPE SetFileRestoreStatus(VSS_ID writer, VSS_COMPONENT_TYPE type,
                                                   LPCWSTR path, LPCWSTR name,
                                                   VSS_FILE_RESTORE_STATUS status) override {
        return called("SetFileRestoreStatus", text(writer) + " " + std::to_string(type) + " " +
                                                  text(path) + " " + text(name) + " " +
                                                  std::to_string(status));
    }
    HRESULT STDMETHODCALLTYPE PreRestore(IVssAsync** place) override {
        return begin("PreRestore", place);
    }
    HRESULT STDMETHODCALLTYPE PostRestore(IVssAsync** place) override {
        return begin("PostRestore", place);
    }
    HRESULT STDMETHODCALLTYPE EnableWriterClasses(const VSS_ID* ids, UINT count) override {
        std::string all;
        for (UINT at = 0; at < count; at++) all += text(ids[at]);
        return called("EnableWriterClasses", all);
    }
    HRESULT STDMETHODCALLTYPE SetContext(LONG context) override {
        return called("SetContext", std::to_string(context));
    }
    HRESULT STDMETHODCALLTYPE SetBackupState(boolean select, boolean bootable,
                                             VSS_BACKUP_TYPE type, boolean partial) override {
        return called("SetBackupState", std::to_string(select) + " " + std::to_string(bootable) +
                                            " " + std::to_string(type) + " " +
                                            std::to_string(partial));
    }
    HRESULT STDMETHODCALLTYPE GatherWriterMetadata(IVssAsync** place) override {
        return begin("GatherWriterMetadata", place);
    }
    HRESULT STDMETHODCALLTYPE GetWriterMetadataCount(UINT* count) override {
        *count = 2;
        return called("GetWriterMetadataCount");
    }
    HRESULT STDMETHODCALLTYPE GetWriterMetadata(UINT writer, VSS_ID* instance,
                                                IVssExamineWriterMetadata** place) override {
        HRESULT result = called("GetWriterMetadata", std::to_string(writer));
        if (FAILED(result)) return result;
        *instance = id(0x10 + writer);
        *place = new Metadata(writer);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE FreeWriterMetadata() override { return called("FreeWriterMetadata"); }
    HRESULT STDMETHODCALLTYPE AddComponent(VSS_ID instance, VSS_ID writer, VSS_COMPONENT_TYPE type,
                                           LPCWSTR path, LPCWSTR name) override {
        return called("AddComponent", text(instance) + " " + text(writer) + " " +
                                          std::to_string(type) + " " + text(path) + " " +
                                          text(name));
    }
    HRESULT STDMETHODCALLTYPE StartSnapshotSet(VSS_ID* set) override {
        *set = id(0x30);
        return called("StartSnapshotSet");
    }
    HRESULT STDMETHODCALLTYPE AddToSnapshotSet(VSS_PWSZ volume, VSS_ID provider,
                                               VSS_ID* snapshot) override {
        HRESULT result = called("AddToSnapshotSet", text(volume) + " " + text(provider));
        if (SUCCEEDED(result)) *snapshot = id(0x40 + snapshots++);
        return result;
    }
    HRESULT STDMETHODCALLTYPE PrepareForBackup(IVssAsync** place) override {
        return begin("PrepareForBackup", place);
    }
    HRESULT STDMETHODCALLTYPE DoSnapshotSet(IVssAsync** place) override {
        return begin("DoSnapshotSet", place);
    }
    HRESULT STDMETHODCALLTYPE GatherWriterStatus(IVssAsync** place) override {
        return begin("GatherWriterStatus", place);
    }
    HRESULT STDMETHODCALLTYPE GetWriterStatusCount(UINT* count) override {
        *count = 2;
        return called("GetWriterStatusCount");
    }
    HRESULT STDMETHODCALLTYPE FreeWriterStatus() override { return called("FreeWriterStatus"); }
    HRESULT STDMETHODCALLTYPE GetWriterStatus(UINT writer, VSS_ID* instance, VSS_ID* writer_id,
                                              BSTR* name, VSS_WRITER_STATE* state,
                                              HRESULT* failure) override {
        HRESULT result = called("GetWriterStatus", std::to_string(writer));
        *instance = id(0x10 + writer);
        *writer_id = writer == 0 ? HYPERV : id(0x21);
        *state = static_cast<VSS_WRITER_STATE>(told("state " + std::to_string(writer), VSS_WS_STABLE));
        *failure = told("failure " + std::to_string(writer), S_OK);
        put(name, writer == 0 ? L"Hyper-V" : L"System");
        return result;
    }
    HRESULT STDMETHODCALLTYPE GetWriterStatusEx(UINT writer, VSS_ID* instance, VSS_ID* writer_id,
                                                BSTR* name, VSS_WRITER_STATE* state,
                                                HRESULT* failure, HRESULT* application,
                                                BSTR* message) override {
        HRESULT result = called("GetWriterStatusEx", std::to_string(writer));
        GetWriterStatus(writer, instance, writer_id, name, state, failure);
        *application = told("application " + std::to_string(writer), S_OK);
        *message = told("message " + std::to_string(writer), 0) ? SysAllocString(L"said why") : nullptr;
        return result;
    }
    HRESULT STDMETHODCALLTYPE GetWriterComponentsCount(UINT* count) override {
        *count = 2;
        return called("GetWriterComponentsCount");
    }
    HRESULT STDMETHODCALLTYPE GetWriterComponents(UINT writer,
                                                  IVssWriterComponentsExt** place) override {
        HRESULT result = called("GetWriterComponents", std::to_string(writer));
        if (SUCCEEDED(result)) *place = new ComponentsExt(writer);
        return result;
    }
    HRESULT STDMETHODCALLTYPE GetSnapshotProperties(VSS_ID snapshot, VSS_SNAPSHOT_PROP* place) override {
        HRESULT result = called("GetSnapshotProperties", text(snapshot));
        if (FAILED(result)) return result;
        born("SnapshotProperties");
        *place = {};
        place->m_SnapshotId = snapshot;
        place->m_SnapshotSetId = id(0x30);
        place->m_lSnapshotsCount = 2;
        std::wstring device = L"\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy";
        device += std::to_wstring(snapshot.Data4[7]);
        place->m_pwszSnapshotDeviceObject = task_text(device.c_str());
        place->m_pwszOriginalVolumeName = task_text(L"\\\\?\\Volume{a}\\");
        place->m_pwszOriginatingMachine = task_text(L"HV1");
        place->m_pwszServiceMachine = task_text(L"HV1");
        place->m_ProviderId = id(0x50);
        place->m_lSnapshotAttributes = 0x00420000;
        // 2024-02-29 12:34:56.789 UTC
        place->m_tsCreationTimestamp = 133536836967890000LL;
        place->m_eStatus = VSS_SS_CREATED;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE SetBackupSucceeded(VSS_ID instance, VSS_ID writer,
                                                 VSS_COMPONENT_TYPE type, LPCWSTR path,
                                                 LPCWSTR name, boolean succeeded) override {
        return called("SetBackupSucceeded", text(instance) + " " + text(writer) + " " +
                                                std::to_string(type) + " " + text(path) + " " +
                                                text(name) + " " + std::to_string(succeeded));
    }
    HRESULT STDMETHODCALLTYPE SaveAsXML(BSTR* place) override {
        HRESULT result = called("SaveAsXML");
        return FAILED(result) ? result : put(place, L"<BACKUP_COMPONENTS \u00e9/>");
    }
    HRESULT STDMETHODCALLTYPE BackupComplete(IVssAsync** place) override {
        return begin("BackupComplete", place);
    }
    HRESULT STDMETHODCALLTYPE AbortBackup() override { return called("AbortBackup"); }
    HRESULT STDMETHODCALLTYPE DeleteSnapshots(VSS_ID source, VSS_OBJECT_TYPE type, WINBOOL force,
                                              LONG* deleted, VSS_ID* left) override {
        *deleted = snapshots;
        *left = id(0x41);
        return called("DeleteSnapshots", text(source) + " " + std::to_string(type) + " " +
                                             std::to_string(force));
    }
    HRESULT STDMETHODCALLTYPE Query(VSS_ID queried, VSS_OBJECT_TYPE type, VSS_OBJECT_TYPE wanted,
                                    IVssEnumObject** place) override {
        HRESULT result = called("Query", text(queried) + " " + std::to_string(type) + " " +
                                             std::to_string(wanted));
        if (SUCCEEDED(result)) *place = new Providers();
        return result;
    }
    HRESULT STDMETHODCALLTYPE GetRootAndLogicalPrefixPaths(VSS_PWSZ file, VSS_PWSZ* root,
                                                           VSS_PWSZ* prefix,
                                                           WINBOOL normalize) override {
        HRESULT result = called("GetRootAndLogicalPrefixPaths",
                                text(file) + " " + std::to_string(normalize));
        if (FAILED(result)) return result;
        *root = task_text(L"\\\\FS1\\VMs");
        *prefix = task_text(L"\\\\FS1\\VMs\\");
        return S_OK;
    }
    int snapshots = 0;
};
}  // namespace

extern "C" {
__declspec(dllexport) HRESULT STDAPICALLTYPE
CreateVssBackupComponentsInternal(IVssBackupComponents** place) {
    HRESULT result = called("CreateVssBackupComponents");
    if (SUCCEEDED(result)) *place = new Backup();
    return result;
}

__declspec(dllexport) void APIENTRY VssFreeSnapshotPropertiesInternal(VSS_SNAPSHOT_PROP* properties) {
    CoTaskMemFree(properties->m_pwszSnapshotDeviceObject);
    CoTaskMemFree(properties->m_pwszOriginalVolumeName);
    CoTaskMemFree(properties->m_pwszOriginatingMachine);
    CoTaskMemFree(properties->m_pwszServiceMachine);
    died("SnapshotProperties");
}

__declspec(dllexport) BOOL WINAPI ClusterIsPathOnSharedVolume(LPCWSTR path) {
    return wcsncmp(path, L"C:\\ClusterStorage\\", 18) == 0;
}

__declspec(dllexport) DWORD WINAPI ClusterPrepareSharedVolumeForBackup(LPCWSTR path, LPWSTR mount,
                                                                       LPDWORD mount_room, LPWSTR name,
                                                                       LPDWORD name_room) {
    HRESULT result = called("ClusterPrepareSharedVolumeForBackup",
                            text(path) + " " + std::to_string(*mount_room) + " " +
                                std::to_string(*name_room));
    if (result != 0) return result;
    wcscpy(mount, L"C:\\ClusterStorage\\Volume1\\");
    wcscpy(name, L"\\\\?\\Volume{c}\\");
    return 0;
}
}
