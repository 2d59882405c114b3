//! Scrubs settings: paths, names, addresses and instructions; switches and numbers stay. Every field
//! is named, so that a new one has to be judged.

use codex_proto::{
    Settings,
    effect::AudioDevices,
    policy::{EnvPolicy, SandboxPolicy},
    realtime::RealtimeSettings,
    settings::{AuthRef, HeaderValue, Host, ProjectSettings, Provider, SecretRef, Shell},
};

use super::text::Scrubber;

/// Stands for every installation.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

pub(super) fn scrub(settings: &Settings, scrubber: &mut Scrubber) -> Settings {
    let mut new = settings.clone();
    let Settings {
        host,
        source: _,
        originator,
        cwd,
        model,
        provider,
        reasoning_effort: _,
        reasoning_summary: _,
        verbosity: _,
        supports_reasoning_summaries: _,
        service_tier: _,
        context_window: _,
        tool_output_tokens: _,
        approval: _,
        sandbox,
        env,
        allow_login_shell: _,
        instructions,
        developer_instructions,
        include_permissions: _,
        include_environment: _,
        project,
        web_search: _,
        background_poll_ms_max: _,
        features: _,
        ephemeral: _,
        interactive: _,
        realtime,
    } = &mut new;
    scrubber.scrub_path(cwd);
    scrub_host(host, scrubber);
    scrub_provider(provider, scrubber);
    let SandboxPolicy { mode: _, writable_roots, network: _, writable_tmp: _, writable_tmpdir: _ } =
        sandbox;
    writable_roots.iter_mut().for_each(|path| scrubber.scrub_path(path));
    let EnvPolicy { inherit: _, ignore_default_excludes: _, exclude, set, include_only } = env;
    let ProjectSettings { root_markers, doc_bytes_max: _, fallback_filenames } = project;
    scrub_realtime(realtime, scrubber);
    let lists = [exclude, set, include_only, root_markers, fallback_filenames];
    let texts = [model, instructions, developer_instructions].into_iter().flatten();
    texts
        .chain([originator])
        .chain(lists.into_iter().flatten())
        .for_each(|text| scrubber.scrub_string(text));
    new
}

fn scrub_realtime(realtime: &mut RealtimeSettings, scrubber: &mut Scrubber) {
    let RealtimeSettings {
        version: _,
        transcription: _,
        websocket: _,
        voice: _,
        devices: AudioDevices { microphone, speaker },
        socket_base_url,
        call_base_url,
        model,
        prompt,
        startup_context,
        start_instructions,
    } = realtime;
    let texts = [
        microphone,
        speaker,
        socket_base_url,
        call_base_url,
        model,
        prompt,
        startup_context,
        start_instructions,
    ];
    texts.into_iter().flatten().for_each(|text| scrubber.scrub_string(text));
}

fn scrub_host(host: &mut Host, scrubber: &mut Scrubber) {
    let Host {
        codex_home,
        scratch,
        shell: Shell { path, kind: _ },
        time_zone,
        utc_offset_minutes: _,
        user_agent,
        version: _,
        installation_id,
    } = host;
    [codex_home, scratch, path].into_iter().for_each(|path| scrubber.scrub_path(path));
    [time_zone, user_agent].into_iter().for_each(|text| scrubber.scrub_string(text));
    NOBODY.clone_into(installation_id);
}

fn scrub_provider(provider: &mut Provider, scrubber: &mut Scrubber) {
    let Provider {
        id,
        name,
        base_url,
        query,
        headers,
        auth,
        request_retries_max: _,
        stream_retries_max: _,
        stream_idle_ms: _,
    } = provider;
    let pairs = query.iter_mut().flat_map(|(name, value)| [name, value]);
    let headers = headers.iter_mut().flat_map(|(name, value)| match value {
        HeaderValue::Plain(value) | HeaderValue::Secret(SecretRef(value)) => [name, value],
    });
    let auth = auth.iter_mut().map(|AuthRef(name)| name);
    [id, name, base_url]
        .into_iter()
        .chain(pairs)
        .chain(headers)
        .chain(auth)
        .for_each(|text| scrubber.scrub_string(text));
}
