use super::*;

fn at(seconds: u64) -> Now {
    Now {
        mono: Mono::new(Duration::from_secs(seconds)),
        wall: Wall(1_000_000_000_000 + seconds as i64 * 1000),
    }
}

fn ask(service: &mut Service, now: Now, caller: u64, method: &str, parameters: &Value) {
    let path = format!("/bot1:x/{method}");
    service.call(
        now,
        caller,
        &path,
        "application/json",
        parameters.to_string().as_bytes(),
    );
}

fn answer(service: &mut Service, now: Now, caller: u64) -> Option<(u16, Value)> {
    match service.take_reply(now, caller)? {
        Reply::Answer(status, body) => Some((status, serde_json::from_slice(&body).expect("JSON"))),
        other => panic!("{other:?}"),
    }
}

fn result(service: &mut Service, now: Now, method: &str, parameters: &Value) -> (u16, Value) {
    ask(service, now, 9, method, parameters);
    answer(service, now, 9).expect("an answer at once")
}

#[test]
fn an_update_stays_until_a_higher_offset_confirms_it_or_a_day_has_passed() {
    let mut service = Service::default();
    service.post(1, 1, "/a", at(0).wall);
    let ids = |service: &mut Service, now: Now, offset: i64| -> Vec<i64> {
        let (_, body) = result(service, now, "getUpdates", &json!({"offset": offset}));
        let updates = body["result"].as_array().cloned().unwrap_or_default();
        updates
            .iter()
            .filter_map(|update| update["update_id"].as_i64())
            .collect()
    };
    assert_eq!(ids(&mut service, at(0), 0), [1]);
    assert_eq!(ids(&mut service, at(4), 1), [1]);
    service.post(1, 1, "/b", at(5).wall);
    service.post(1, 1, "/c", at(5).wall);
    assert_eq!(ids(&mut service, at(10), 2), [2, 3]);
    assert_eq!(ids(&mut service, at(14), -1), [3]);
    ask(&mut service, at(86_406), 4, "getUpdates", &json!({}));
    let last = answer(&mut service, at(86_406), 4).expect("no wait was asked for");
    assert_eq!(last.1["result"], json!([]));
}

#[test]
fn a_poll_waits_for_at_most_fifty_seconds_and_whoever_hurries_is_slowed_down() {
    let mut service = Service::default();
    ask(
        &mut service,
        at(0),
        1,
        "getUpdates",
        &json!({"timeout": 500}),
    );
    assert_eq!(service.poll_timeout(), Some(at(50).mono));
    assert_eq!(
        answer(&mut service, at(50), 1),
        Some((200, json!({"ok": true, "result": []})))
    );
    ask(&mut service, at(51), 2, "getUpdates", &json!({}));
    assert!(
        answer(&mut service, at(51), 2).is_some(),
        "long enough after the other one"
    );
    ask(&mut service, at(53), 3, "getUpdates", &json!({}));
    assert_eq!(
        service.poll_timeout(),
        Some(at(56).mono),
        "same offset within 3 s"
    );
    service.post(1, 1, "a", at(53).wall);
    service.post(1, 1, "b", at(53).wall);
    assert!(answer(&mut service, at(53), 3).is_some());
    ask(&mut service, at(53), 4, "getUpdates", &json!({}));
    let (_, body) = answer(&mut service, at(53), 4).expect("there is something");
    assert_eq!(
        body["result"].as_array().map(Vec::len),
        Some(1),
        "within half a second"
    );
}

#[test]
fn of_two_polls_the_one_that_waits_is_ended_and_the_next_conflict_is_told_late() {
    let mut service = Service::default();
    for caller in 1..=3 {
        ask(
            &mut service,
            at(caller),
            caller,
            "getUpdates",
            &json!({"timeout": 50}),
        );
    }
    let (status, body) = answer(&mut service, at(3), 1).expect("at once");
    assert_eq!(status, 409);
    assert!(
        body["description"]
            .as_str()
            .is_some_and(|text| text.contains("other getUpdates"))
    );
    assert_eq!(answer(&mut service, at(3), 2), None);
    assert_eq!(
        answer(&mut service, at(6), 2).map(|answer| answer.0),
        Some(409)
    );
    service.set_webhook(true);
    assert_eq!(
        answer(&mut service, at(6), 3).map(|answer| answer.0),
        Some(409)
    );
    let (_, body) = result(&mut service, at(7), "getUpdates", &json!({}));
    assert!(
        body["description"]
            .as_str()
            .is_some_and(|text| text.contains("webhook is active"))
    );
}

#[test]
fn what_a_chat_does_not_take_is_refused_with_the_servers_words() {
    let mut service = Service::default();
    service.set_closed(2, Some(Closed::Blocked));
    service.set_closed(-3, Some(Closed::Kicked));
    service.set_closed(4, Some(Closed::Unknown));
    service.migrate(-5, -1005);
    service.flood(6, at(30).mono);
    service.delete_topic(-7, 9);
    let long = "😀".repeat(2048) + "x";
    for (given, status, text) in [
        (
            json!({"chat_id": 2, "text": "x"}),
            403,
            "Forbidden: bot was blocked by the user",
        ),
        (
            json!({"chat_id": -3, "text": "x"}),
            403,
            "Forbidden: bot was kicked from the supergroup chat",
        ),
        (
            json!({"chat_id": 4, "text": "x"}),
            400,
            "Bad Request: chat not found",
        ),
        (
            json!({"chat_id": -5, "text": "x"}),
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
        ),
        (
            json!({"chat_id": 6, "text": "x"}),
            429,
            "Too Many Requests: retry after 30",
        ),
        (
            json!({"chat_id": -7, "text": "x", "message_thread_id": 9}),
            400,
            "Bad Request: message thread not found",
        ),
        (
            json!({"chat_id": 1, "text": " \n"}),
            400,
            "Bad Request: message text is empty",
        ),
        (
            json!({"chat_id": 1, "text": long}),
            400,
            "Bad Request: message is too long",
        ),
    ] {
        let (code, body) = result(&mut service, at(0), "sendMessage", &given);
        assert_eq!(
            (code, body["description"].as_str()),
            (status, Some(text)),
            "{given}"
        );
    }
    let (_, body) = result(
        &mut service,
        at(0),
        "sendMessage",
        &json!({"chat_id": -5, "text": "x"}),
    );
    assert_eq!(body["parameters"]["migrate_to_chat_id"], -1005);
    assert!(service.messages().is_empty());
}

#[test]
fn an_edit_needs_its_message_and_a_change() {
    let mut service = Service::default();
    let send = json!({"chat_id": 1, "text": "<b>x</b>", "parse_mode": "HTML"});
    let (_, body) = result(&mut service, at(0), "sendMessage", &send);
    let id = body["result"]["message_id"].clone();
    let edit = |text: &str| json!({"chat_id": 1, "message_id": id, "text": text});
    let words = |answer: (u16, Value)| {
        answer.1["description"]
            .as_str()
            .unwrap_or("taken")
            .to_owned()
    };
    assert!(
        words(result(&mut service, at(1), "editMessageText", &edit("x")))
            .contains("is not modified")
    );
    assert_eq!(
        words(result(&mut service, at(1), "editMessageText", &edit("y"))),
        "taken"
    );
    assert_eq!(
        (
            service.messages()[0].text.as_str(),
            service.messages()[0].edits
        ),
        ("y", 1)
    );
    service.delete_message(1, service.messages()[0].id);
    assert!(
        words(result(&mut service, at(1), "editMessageText", &edit("z")))
            .contains("message to edit not found")
    );
    assert_eq!(service.sights().len(), 2);
}

#[test]
fn foul_weather_ends_a_call_in_its_own_way() {
    let mut service = Service::default();
    let send = json!({"chat_id": 1, "text": "x"});
    for (weather, want, is_done) in [
        (Weather::LosesAnswer, Reply::Lost, true),
        (Weather::IsAway, Reply::Away, false),
        (
            Weather::Body(b"[".to_vec()),
            Reply::Answer(200, b"[".to_vec()),
            true,
        ),
    ] {
        let before = service.messages().len();
        service.set_weather(at(0), "sendMessage", 1, weather);
        ask(&mut service, at(0), 1, "sendMessage", &send);
        assert_eq!(service.take_reply(at(0), 1), Some(want));
        assert_eq!(service.messages().len() > before, is_done);
    }
    service.set_token("2:y");
    assert_eq!(result(&mut service, at(0), "getMe", &json!({})).0, 401);
}
