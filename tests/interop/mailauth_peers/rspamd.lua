-- Sign what the request asks for with rspamd's own signer. The field comes
-- back in the reply as "dkim-signature".
rspamd_config:register_symbol({
  name = 'PEER_SIGN',
  type = 'postfilter',
  callback = function(task)
    local key = task:get_request_header('peer-key')
    if not key then
      return
    end
    rspamd_plugins.dkim.sign(task, {
      key = tostring(key),
      selector = tostring(task:get_request_header('peer-selector')),
      domain = tostring(task:get_request_header('peer-domain')),
      alg = tostring(task:get_request_header('peer-type')),
    })
  end
})
